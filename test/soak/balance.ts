/** What was sent against what became of it, by what /metrics says and what the store holds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { MIRRORING, type Traffic } from './traffic.ts'

/** Values of /metrics by name and labels as they are written there. */
export type Page = ReadonlyMap<string, number>

/** Longer than anything is held back. */
const STILL_MS = 4_000

export class Metrics {
  private readonly url: string

  constructor(url: string) {
    this.url = url
  }

  async read(): Promise<Page> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    return new Map(
      text
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
    )
  }

  /** Rows that the store has taken. */
  async stored(): Promise<number> {
    return sum(await this.read(), 'ovsight_inserted_rows_total')
  }

  /** Nothing waits any more, and nothing comes. */
  async settled(): Promise<boolean> {
    const before = await this.read()
    await sleep(STILL_MS)
    const now = await this.read()
    const moves = ['ovsight_receive_datagrams_total', 'ovsight_rows_total', 'ovsight_inserted_rows_total']
    return (
      sum(now, 'ovsight_spool_blocks') + sum(now, 'ovsight_blocks_waiting') === 0 &&
      moves.every((name) => sum(now, name) === sum(before, name))
    )
  }
}

/** Sum of a metric over its labels, of those lines that contain `label`. */
function sum(page: Page, name: string, label = ''): number {
  let total = 0
  for (const [line, value] of page)
    if ((line === name || line.startsWith(`${name}{`)) && line.includes(label)) total += value
  return total
}

export class Balance {
  private readonly page: Page
  private readonly traffic: Traffic
  private readonly lostWithWorkers: number

  constructor(page: Page, traffic: Traffic, lostWithWorkers: number) {
    this.page = page
    this.traffic = traffic
    this.lostWithWorkers = lostWithWorkers
  }

  lines(stored: number): string[] {
    const { page, traffic } = this
    const by = (name: string, label: RegExp) => {
      const parts = new Map<string, number>()
      for (const [line, value] of page) {
        const of = line.startsWith(`${name}{`) ? label.exec(line)?.[1] : undefined
        if (of !== undefined && value > 0) parts.set(of, (parts.get(of) ?? 0) + value)
      }
      return [...parts].map(([of, value]) => `${of} ${value}`).join(', ')
    }
    return [
      `datagrams: ${traffic.datagrams} sent = ${this.received} received + ${this.kernelDrops} dropped by the kernel`,
      `  of those received: ${by('ovsight_datagrams_total', /status="(\w+)"/)}; not decoded: ${by('ovsight_datagrams_dropped_total', /reason="(\w+)"/) || 'none'}`, // prettier-ignore
      `records: ${this.decoded} decoded = ${stored} stored + ${this.lostWithWorkers} lost with workers + ${this.lostInStore} lost on the way to the store; ${this.acknowledged} acknowledged by it`, // prettier-ignore
      `  of known exporters: ${traffic.records} sent, ${this.known} decoded`,
      `workers replaced: ${sum(page, 'ovsight_worker_restarts_total')}; engines started again: ${sum(page, 'ovsight_engine_restarts_total')}`,
    ]
  }

  faults(stored: number): string[] {
    const { page, traffic } = this
    const judged = sum(page, 'ovsight_datagrams_total') + sum(page, 'ovsight_datagrams_dropped_total')
    return [
      traffic.datagrams === this.received + this.kernelDrops ? '' : 'datagrams sent and received differ',
      this.received === judged ? '' : `of ${this.received} datagrams received ${judged} were decoded or dropped`,
      this.decoded === stored + this.lostWithWorkers + this.lostInStore ? '' : 'records decoded and stored differ',
      this.acknowledged === stored ? '' : 'the store holds other records than it acknowledged',
      this.known === traffic.records || this.kernelDrops > 0 ? '' : 'records of known exporters are missing or doubled',
      sum(page, 'ovsight_rows_quarantined_total') === 0 ? '' : 'rows are in quarantine',
    ].filter((text) => text !== '')
  }

  private get received(): number {
    return sum(this.page, 'ovsight_receive_datagrams_total')
  }

  private get kernelDrops(): number {
    return sum(this.page, 'ovsight_receive_kernel_drops_total')
  }

  private get decoded(): number {
    return sum(this.page, 'ovsight_rows_total')
  }

  /** Rows of exporters whose records are known: all but those of the flood and of mirrored frames. */
  private get known(): number {
    const rows = 'ovsight_exporter_rows_total'
    const others = ['127.16.', MIRRORING].map((begin) => sum(this.page, rows, `exporter="${begin}`))
    return others.reduce((left, of) => left - of, sum(this.page, rows))
  }

  /** Records that the store took; those that took the place of others are those others. */
  private get acknowledged(): number {
    const taken = sum(this.page, 'ovsight_inserted_rows_total', 'table="flows"')
    return taken - sum(this.page, 'ovsight_late_resolved_total')
  }

  private get lostInStore(): number {
    return sum(this.page, 'ovsight_rows_dropped_total') + sum(this.page, 'ovsight_rows_quarantined_total')
  }
}
