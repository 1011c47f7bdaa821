/**
 * Runs every test file on Node's own runner: `npm test`, or `npm test -- decode/ipfix` for the files whose path contains that,
 * `npm test -- '!lab/'` for those whose path does not.
 * One process a file, two for each core, three to eight at a time, since many of them wait for a collector or an engine; those that
 * take longest go first, so that none of them is left running alone at the end. A file that hangs ends after a quarter of an hour, and
 * what a failed one left open does not keep the runner waiting.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Files of more than five seconds, the longest first. */
const LONGEST = [
  'api/isolation',
  'e2e/late',
  'e2e/collect',
  'decode/hostile',
  'soak/soak',
  'deploy/deb',
  'store/cluster',
  'e2e/doctor',
  'store/clickhouse',
  'dashboards/panels',
  'e2e/replay',
  'e2e/reload',
  'store/chdb',
  'pipeline/workers',
  'query/top',
  'query/agree',
  'transfer/round-trip',
  'cli/questions',
]
const AT_ONCE = Math.min(8, Math.max(3, 2 * availableParallelism()))

const here = dirname(fileURLToPath(import.meta.url))
const wanted = process.argv.slice(2).filter((part) => !part.startsWith('!'))
const unwanted = process.argv.slice(2).filter((part) => part.startsWith('!'))
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .filter((file) => !unwanted.some((part) => file.includes(part.slice(1))))
  .sort((a, b) => turn(a) - turn(b) || (a < b ? -1 : 1))
  .map((file) => relative(process.cwd(), join(here, file)))

function turn(file: string): number {
  const at = LONGEST.findIndex((part) => file.startsWith(part))
  return at < 0 ? LONGEST.length : at
}

if (files.length === 0) {
  console.error(`no test file matches ${[...wanted, ...unwanted].join(' ')}`)
  process.exit(1)
}
const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${AT_ONCE}`,
    '--test-timeout=900000',
    '--test-force-exit',
    '--test-reporter=spec',
    ...files,
  ],
  {
    stdio: 'inherit',
  },
)
child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1))
