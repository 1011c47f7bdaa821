/**
 * Runs every test file on Node's own runner: `npm test`, or `npm test -- decode/ipfix` for the files whose path contains that,
 * `npm test -- '!lab/'` for those whose path does not.
 * One process a file, three at a time: many of them wait for a collector or an engine. A file that hangs ends after a quarter of
 * an hour, and what a failed one left open does not keep the runner waiting.
 */
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const wanted = process.argv.slice(2).filter((part) => !part.startsWith('!'))
const unwanted = process.argv.slice(2).filter((part) => part.startsWith('!'))
const files = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .filter((file) => !unwanted.some((part) => file.includes(part.slice(1))))
  .sort()
  .map((file) => relative(process.cwd(), join(here, file)))

if (files.length === 0) {
  console.error(`no test file matches ${[...wanted, ...unwanted].join(' ')}`)
  process.exit(1)
}
const child = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    '--test-concurrency=3',
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
