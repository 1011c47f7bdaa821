/**
 * Whether a published weakness is in what ovsight depends on: `npm run audit [-- --level high]`. Fails on findings of that level and above. A
 * registry that cannot be asked, or has no such endpoint, fails nothing, since it says nothing; but it is said, in one line.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const LEVELS = ['info', 'low', 'moderate', 'high', 'critical'] as const
type Level = (typeof LEVELS)[number]

interface Report {
  vulnerabilities?: Record<string, { severity: Level; via: readonly unknown[]; range: string }>
  message?: string
  error?: { code?: string; summary?: string }
}

export interface Verdict {
  /** Whether the build may go on. */
  sound: boolean
  lines: readonly string[]
}

/** What the answer of `npm audit --json` means. */
export function verdictOf(text: string, level: Level): Verdict {
  const report = parse(text)
  if (report?.vulnerabilities === undefined) {
    const reason = [report?.message, report?.error?.summary, report?.error?.code].find((part) => part !== undefined && part !== '') // prettier-ignore
    return {
      sound: true,
      lines: [`NOT AUDITED: the registry does not answer (${reason ?? 'no answer that can be read'})`],
    }
  }
  const found = Object.entries(report.vulnerabilities)
  const grave = found.filter(([, { severity }]) => LEVELS.indexOf(severity) >= LEVELS.indexOf(level))
  const lines = grave.map(([name, { severity, range }]) => `${severity}: ${name} ${range}`)
  return { sound: grave.length === 0, lines: [...lines, `audited: ${found.length} findings, ${grave.length} of level ${level} and above`] } // prettier-ignore
}

function parse(text: string): Report | undefined {
  try {
    return JSON.parse(text) as Report
  } catch {
    // Cut off, or not npm that answers.
    return undefined
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { level: { type: 'string', default: 'high' } } })
  const level = LEVELS.find((one) => one === values.level)
  if (level === undefined) throw new Error(`--level is one of ${LEVELS.join(', ')}`)
  const words = [
    'audit',
    '--omit=dev',
    `--audit-level=${level}`,
    '--json',
    '--fetch-retries=0',
    '--fetch-timeout=20000',
  ]
  const { stdout } = spawnSync('npm', words, { encoding: 'utf8', timeout: 60_000, maxBuffer: 64 * 1024 * 1024 })
  const { sound, lines } = verdictOf(stdout ?? '', level)
  for (const line of lines) console.log(line)
  process.exitCode = sound ? 0 : 1
}
