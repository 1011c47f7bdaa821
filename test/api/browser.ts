/** A real browser without a window, driven over a pipe by the DevTools protocol: messages of JSON, each ended by a NUL. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

const CHROMIUM = '/usr/bin/chromium'
export const NO_BROWSER = existsSync(CHROMIUM) ? false : 'no chromium is installed'

const PATIENCE_MS = 30_000

interface Message {
  id?: number
  sessionId?: string
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { message: string }
}

export class Browser {
  /** What the page wrote to its console, and its uncaught errors. */
  readonly said: string[] = []
  private readonly child: ChildProcess
  private readonly profile: string
  private readonly waiting = new Map<number, (message: Message) => void>()
  private session = ''
  private last = 0

  private constructor(profile: string, width: number, height: number) {
    this.profile = profile
    const root = process.getuid?.() === 0 ? ['--no-sandbox'] : []
    this.child = spawn(
      CHROMIUM,
      ['--headless', '--disable-gpu', '--disable-dev-shm-usage', '--remote-debugging-pipe', `--user-data-dir=${profile}`, `--window-size=${width},${height}`, ...root], // prettier-ignore
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    )
    let rest = ''
    ;(this.child.stdio[4] as Readable).setEncoding('utf8').on('data', (part: string) => {
      const messages = (rest + part).split('\0')
      rest = messages.pop()!
      for (const text of messages) this.take(JSON.parse(text) as Message)
    })
  }

  /** Opens a page of a width and a height. */
  static async open(url: string, width = 1200, height = 900): Promise<Browser> {
    const browser = new Browser(mkdtempSync(join(tmpdir(), 'ovsight-browser-')), width, height)
    const { targetId } = await browser.ask('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await browser.ask('Target.attachToTarget', { targetId, flatten: true })
    browser.session = String(sessionId)
    for (const domain of ['Page', 'Runtime', 'Log']) await browser.ask(`${domain}.enable`)
    await browser.ask('Page.navigate', { url })
    await browser.until("document.readyState === 'complete'")
    return browser
  }

  /** Value of an expression in the page; of a promise what it resolves to. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = (await this.ask('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    })) as { result?: { value?: unknown }; exceptionDetails?: { exception?: { description?: string } } }
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? 'the page threw')
    return result?.value
  }

  /** Waits until an expression holds in the page. */
  async until(expression: string): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; !(await this.evaluate(expression));) {
      if (Date.now() > end) throw new Error(`never came true: ${expression}`)
      await sleep(50)
    }
  }

  /** A picture of what the window shows, as PNG. */
  async picture(file: string): Promise<void> {
    const { data } = await this.ask('Page.captureScreenshot', { format: 'png' })
    writeFileSync(file, Buffer.from(String(data), 'base64'))
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  private async ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.last
    const answered = new Promise<Message>((resolve) => this.waiting.set(id, resolve))
    const message: Message = { id, params, ...(this.session === '' ? {} : { sessionId: this.session }) }
    ;(this.child.stdio[3] as Writable).write(`${JSON.stringify({ ...message, method })}\0`)
    const answer = await Promise.race([answered, sleep(PATIENCE_MS, undefined, { ref: false })])
    if (answer === undefined || answer.error) throw new Error(`${method}: ${answer?.error?.message ?? 'no answer'}`)
    return answer.result ?? {}
  }

  private take({ id, method, params, ...rest }: Message): void {
    if (id !== undefined) {
      this.waiting.get(id)?.({ ...rest })
      this.waiting.delete(id)
    } else if (
      method === 'Runtime.exceptionThrown' ||
      method === 'Runtime.consoleAPICalled' ||
      method === 'Log.entryAdded'
    )
      this.said.push(JSON.stringify(params))
  }
}
