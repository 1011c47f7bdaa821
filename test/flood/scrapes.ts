/** Asks for /metrics while a collector is flooded, from a thread of its own: the one that floods has no time to hear an answer. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

const PAUSE_MS = 200

/** How long answers took, ms, in the order of asking; the first one loads what writes them. */
export class Scrapes {
  private readonly worker: Worker

  constructor(url: string) {
    this.worker = new Worker(new URL(import.meta.url), { workerData: { scrape: url } })
  }

  async end(): Promise<number[]> {
    this.worker.postMessage('end')
    const [tookMs] = (await once(this.worker, 'message')) as [number[]]
    return tookMs
  }
}

/** The middle one, and that which one in ten is slower than. */
export function quantiles(tookMs: readonly number[]): { medianMs: number; slowMs: number } {
  const sorted = tookMs.toSorted((a, b) => a - b)
  return { medianMs: sorted[sorted.length >> 1] ?? NaN, slowMs: sorted[Math.floor(sorted.length * 0.9)] ?? NaN }
}

async function scrape(url: string): Promise<void> {
  const tookMs: number[] = []
  const ended = new AbortController()
  parentPort!.once('message', () => ended.abort())
  while (!ended.signal.aborted) {
    const asked = performance.now()
    await (await fetch(`${url}/metrics`)).text()
    tookMs.push(performance.now() - asked)
    await sleep(PAUSE_MS)
  }
  parentPort!.postMessage(tookMs)
}

const told = workerData as { scrape?: string } | null
if (!isMainThread && told?.scrape !== undefined) void scrape(told.scrape)
