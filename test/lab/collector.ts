/** ovsight itself, in the collector's namespace. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ROOT } from '../paths.ts'
import { COLLECTOR, IDENTITY_FILE } from './cloud.ts'
import { run, sleep, succeeds, within } from './shell.ts'

const MAIN = `${ROOT}dist/src/main.js`
const READY_MS = 30_000
const HEALTHY =
  "fetch('http://127.0.0.1:8080/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"

export interface Collector {
  /** `ovsight top …` on its data. */
  top(...words: string[]): Record<string, unknown>[]
  stop(): Promise<void>
}

/** Start `ovsight collect` with its data in `folder`, asking every node's OVSDB; resolves when it receives. */
export async function startCollector(folder: string): Promise<Collector> {
  const command = within(COLLECTOR.namespace, process.execPath, MAIN)
  const argv = [...command, 'collect', '--identity', IDENTITY_FILE, '--data', folder]
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const running = (): boolean => child.exitCode === null && child.signalCode === null
  const until = Date.now() + READY_MS
  while (!succeeds(within(COLLECTOR.namespace, process.execPath, '-e', HEALTHY))) {
    if (!running() || Date.now() > until) {
      child.kill('SIGKILL')
      throw new Error(`the collector did not start: ${said}`)
    }
    await sleep(100)
  }
  return {
    top: (...words) =>
      JSON.parse(run([...command, 'top', ...words, '--data', folder, '-f', 'json', '-n', '1000'])) as Record<string, unknown>[], // prettier-ignore
    async stop() {
      if (!running()) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}
