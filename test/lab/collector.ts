/** ovsight itself, in the collector's namespace. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ROOT } from '../paths.ts'
import { COLLECTOR, IDENTITY_FILE } from './cloud.ts'
import { PROMPT, run, sleep, succeeds, within } from './shell.ts'

/** Without the tests' own OVSIGHT_… variables: ovsight takes them for options. */
const withoutOptions = Object.keys(process.env)
  .filter((name) => name.startsWith('OVSIGHT_'))
  .flatMap((name) => ['-u', name])
const OVSIGHT = within(COLLECTOR.namespace, 'env', ...withoutOptions, process.execPath, `${ROOT}dist/src/main.js`)
/** Flows of mirrored frames are written soon after their last frame. */
const SOON = ['--mirror-inactive-timeout', '2s', '--interface-counters', '1s']
const READY_MS = 30_000
const STOP_MS = 15_000

/** Prints what the collector's HTTP server answers; another status than 200 ends with 1. */
const GET = `const answer = await fetch('http://127.0.0.1:8080' + process.argv[1])
process.stdout.write(await answer.text())
process.exitCode = answer.ok ? 0 : 1`
const get = (path: string): string[] =>
  within(COLLECTOR.namespace, process.execPath, '--input-type=module', '-e', GET, path)

export interface Collector {
  /** `ovsight top …` on its data. */
  top(...words: string[]): Record<string, unknown>[]
  /** `ovsight audit` on its data. */
  audit(...words: string[]): Record<string, unknown>[]
  /** What its HTTP API answers at a path. */
  ask(path: string): Record<string, unknown>[]
  /** Sum of a metric over its labels, of those lines whose labels contain `label`. */
  metric(name: string, label?: string): number
  stop(): Promise<void>
}

/** Start `ovsight collect` with its data in `folder`, asking every node's OVSDB; resolves when it receives. */
export async function startCollector(folder: string, options: readonly string[] = []): Promise<Collector> {
  const argv = [...PROMPT, ...OVSIGHT, 'collect', '--identity', IDENTITY_FILE, '--data', folder, ...SOON, ...options]
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const running = (): boolean => child.exitCode === null && child.signalCode === null

  async function stop(): Promise<void> {
    if (!running()) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(late)
  }

  const until = Date.now() + READY_MS
  while (!succeeds(get('/healthz'))) {
    if (!running() || Date.now() > until) {
      await stop()
      throw new Error(`the collector did not start: ${said}`)
    }
    await sleep(100)
  }
  return {
    top: (...words) =>
      JSON.parse(run([...OVSIGHT, 'top', ...words, '--data', folder, '-f', 'json', '-n', '1000'])) as Record<string, unknown>[], // prettier-ignore
    audit: (...words) =>
      JSON.parse(run([...OVSIGHT, 'audit', ...words, '--data', folder, '-f', 'json'])) as Record<string, unknown>[],
    ask: (path) => JSON.parse(run(get(path))) as Record<string, unknown>[],
    metric: (name, label = '') =>
      run(get('/metrics'))
        .split('\n')
        .filter((line) => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(label))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0),
    stop,
  }
}
