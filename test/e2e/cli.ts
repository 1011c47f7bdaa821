/** The command line as a user runs it: a process of its own, a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { openMigrated } from '../../src/cli/open-store.ts'
import { errorText, runProgram } from '../../src/cli/program.ts'
import { VERSION } from '../../src/cli/version.ts'
import { AppError } from '../../src/errors.ts'
import { PCAPS, ROOT } from '../paths.ts'

const MAIN = join(ROOT, 'dist/src/main.js')
/** What the machine that runs the tests has set must not matter. */
const ENV = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('OVSIGHT_')))

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** A temporary directory that is removed after the tests of this file. */
export function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), 'ovsight-test-'))
  after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Runs a command to its end. `input` goes to its standard input. */
export async function ovsight(words: readonly string[], input?: Uint8Array, env = {}): Promise<Ended> {
  const child = launch(words, env)
  const done = ended(child)
  child.stdin!.end(input)
  return done
}

/** The same within the process of the test, where the process is not the point: in a third of the time. No signals, no input. */
export async function within(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const said = { stdout: '', stderr: '' }
  const context = {
    stdout: { write: (text: string) => (said.stdout += text) },
    stderr: { write: (text: string) => (said.stderr += text) },
    env: { ...ENV, NO_COLOR: '1', ...env },
    now: Date.now,
    openStore: openMigrated,
  }
  try {
    await runProgram(context, VERSION, words)
    return { code: 0, ...said }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { code: error.exitCode, stdout: said.stdout, stderr: said.stderr + errorText(error) }
  }
}

/** Runs a command that answers JSON. */
export async function answer<Row>(words: readonly string[]): Promise<Row[]> {
  const { code, stdout, stderr } = await within([...words, '-f', 'json'])
  if (code !== 0) throw new Error(`${words.join(' ')}: exit code ${code}: ${stderr}`)
  return JSON.parse(stdout) as Row[]
}

/** A collector that has said what it listens on. */
export interface Running {
  pid: number
  line: string
  url: string
  /** UDP port of a listener, by its name in the start line. */
  port(name: string): number
  /** Ends it and answers what it said. */
  stop(signal?: NodeJS.Signals): Promise<Ended>
}

const STARTED = /^ovsight \S+ listens on .*$/m
const FREE_PORTS = ['netflow', 'ipfix', 'sflow', 'vxlan', 'http'].flatMap((name) => [`--${name}-port`, '0'])

/** Starts a collector on free ports and waits for its start line. `under` is a command that runs it. */
export async function collector(
  words: readonly string[],
  { env = {}, under = [] }: { env?: Record<string, string>; under?: readonly string[] } = {},
): Promise<Running> {
  const gre = words.includes('--gre') ? [] : ['--gre', 'off']
  const child = launch(['collect', '--bind', '127.0.0.1', ...FREE_PORTS, ...gre, ...words], env, under)
  const done = ended(child)
  const line = await startLine(child, done)
  return {
    pid: child.pid!,
    line,
    url: /HTTP (https?:[^;]+);/.exec(line)?.[1] ?? '',
    port: (name) => Number(new RegExp(`${name} (\\d+)`).exec(line)?.[1]),
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return done
    },
  }
}

function startLine(child: ChildProcess, done: Promise<Ended>): Promise<string> {
  let said = ''
  return new Promise((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const [line] = STARTED.exec(said) ?? []
      if (line !== undefined) resolve(line)
    })
    void done.then(({ stderr }) => reject(new Error(`the collector ended: ${stderr}`)))
  })
}

/** `under` is a command that runs it. */
function launch(words: readonly string[], env = {}, under: readonly string[] = []): ChildProcess {
  const [program = '', ...all] = [...under, process.execPath, MAIN, ...words]
  return spawn(program, all, {
    stdio: 'pipe',
    env: { ...ENV, NO_COLOR: '1', ...env },
  })
}

function ended(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    let stdout = ''
    let stderr = ''
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** A row of `top server -f json`, as far as the tests look at it. */
export interface ServerRow {
  server: string
  project: string
  sent_l2_bytes: number
  received_l2_bytes: number
  sent_l2_bytes_error?: number
  received_l2_bytes_error?: number
}

/** A server's own interface counters over the run of a capture, layer 2 without FCS. */
export interface Truth {
  server: string
  sent: number
  received: number
}

const SERVER_OF_VM: Readonly<Record<string, string>> = {
  r8: 'red-1',
  r9: 'red-2',
  r10: 'red-10',
  r3: 'red-3',
  b8: 'blue-1',
  b9: 'blue-2',
}

/** `truth.txt` beside a capture. */
export function truthOf(capture: string): Truth[] {
  const lines = readFileSync(`${PCAPS}${capture}/truth.txt`, 'utf8').trim().split('\n').slice(1)
  return lines.flatMap((line) => {
    const [vm = '', sent, , received] = line.split(' ')
    const server = SERVER_OF_VM[vm]
    return server === undefined ? [] : [{ server, sent: Number(sent), received: Number(received) }]
  })
}

/** Why tests with an embedded engine are skipped on this machine, or false. */
export const NO_ENGINE = findEngine()

function findEngine(): string | false {
  try {
    createRequire(import.meta.url).resolve('chdb')
    return false
  } catch {
    return 'the embedded engine (chdb) is not installed'
  }
}
