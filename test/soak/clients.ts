/** Clients of the API that ask all the time, read slowly, and go away in the middle of answers. */
import { setTimeout as sleep } from 'node:timers/promises'

const QUESTIONS = [
  'api/v1/top?dimension=exporter&count=all&last=1h',
  'api/v1/top?dimension=server&last=5m',
  'api/v1/flows?n=100&last=5m',
  'api/v1/series?dimension=exporter&last=5m',
  'api/v1/top?dimension=nothing',
  'api/v1/flows?filter=%27%3B+DROP+TABLE+flows',
  'metrics',
] as const
const PAUSE_MS = 250

export class Clients {
  answers = 0
  /** Answers of 500 and more; 503 while the engine starts again is right. */
  faults = 0
  restarts = 0
  private readonly url: string
  private stopping = new AbortController()
  private running: Promise<void>[] = []

  constructor(url: string) {
    this.url = url
  }

  start(): void {
    this.stopping = new AbortController()
    this.running = [0, 1].map((first) => this.ask(first))
  }

  /** All of them break off, whatever they wait for, and others come. */
  async restart(): Promise<void> {
    await this.stop()
    this.restarts++
    this.start()
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all(this.running)
  }

  private async ask(first: number): Promise<void> {
    const { signal } = this.stopping
    for (let turn = first; !signal.aborted; turn++) {
      try {
        const answer = await fetch(`${this.url}/${QUESTIONS[turn % QUESTIONS.length]}`, { signal })
        if (answer.status >= 500 && answer.status !== 503) this.faults++
        if (turn % 5 === 4) await answer.body?.cancel()
        else await answer.text()
        this.answers++
        await sleep(PAUSE_MS, undefined, { signal })
      } catch (error) {
        // Broken off by us: anything else is the collector's fault.
        if (!signal.aborted) {
          this.faults++
          console.error(`a client: ${String(error)}`)
          await sleep(PAUSE_MS)
        }
      }
    }
  }
}
