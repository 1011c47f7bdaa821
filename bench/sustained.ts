/**
 * A collector with the embedded store: a minute at four fifths of what it takes without a loss, then half a minute at three times that. What
 * it takes for seconds the engine's merges may not keep up with for a minute: then the minute is tried again with less, until nothing is lost.
 * Exports of the lab (NetFlow v5 unless `--load` says another), so that every row has its servers. Takes minutes, so it runs only by name.
 *
 * At the end what was sent is in the store, or was counted as lost, to the record; anything else is a wrong answer.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { slowReceiveReason } from '../src/receive/open.ts'
import { FLOWS } from '../src/schema/ddl.ts'
import { MINUTES } from '../src/schema/rollups.ts'
import { openStore } from '../src/store/open.ts'
import { collector } from '../test/e2e/cli.ts'
import { metric } from '../test/e2e/exports.ts'
import type { Bench, Figure } from './figure.ts'
import { drained, losslessRate, sendAt } from './load/drive.ts'
import { LAB_LOADS, type Load } from './load/loads.ts'
import { cpuSeconds, queueOf, residentMib } from './load/processes.ts'
import { Sender } from './load/sender.ts'

const STEADY_MS = 60_000
const OVERLOAD_MS = 30_000
/** From here on memory is looked at. */
const SETTLED_MS = 10_000
/** Records a second that the search begins with. */
const MOST_RATE = 1_200_000
const SEARCH_MS = 2_000
/** After an overload the collector takes what comes again within this time. */
const RECOVERY_MS = 2_000
/** The store may take so long for what an overload left in the spool. */
const DRAIN_MS = 120_000
const REACH_ROWS = 250
const SHARE = 0.8
/** What is tried next after a minute that lost something, and how often. */
const STEP_DOWN = 0.85
const MOST_TRIES = 6

const LOST = 'ovsight_exporter_lost_records_total'
const dropsOf = ({ input }: Load) => `ovsight_receive_kernel_drops_total{listener="${input}"}`
/** What the collector says where it listens. */
const LISTENING: Readonly<Partial<Record<Load['input'], string>>> = {
  netflow: 'NetFlow',
  ipfix: 'IPFIX',
  sflow: 'sFlow',
}

export const benchSustained: Bench = async ({ rate: given, load: name = 'netflow5' }) => {
  if (slowReceiveReason() !== '') return []
  const make = LAB_LOADS[name]
  if (make === undefined) throw new Error(`no load is called ${name}; there are ${Object.keys(LAB_LOADS).join(', ')}`)
  const load = await make()
  const data = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const aliases = load.exporters.flatMap(({ from, as }) => ['--exporter-alias', `${from}=${as}`])
  const running = await collector(['--data', data, '--identity', load.identity as string, ...aliases])
  const port = running.port(LISTENING[load.input]!)
  const subject = { queue: () => queueOf(load.input, port) }
  const sender = new Sender(load, port)
  sender.begin(port)
  const figures: Figure[] = []
  try {
    let steady = Math.round((given ?? 0) / load.records)
    if (given === undefined) {
      const rate = await losslessRate(subject, sender, MOST_RATE / load.records, SEARCH_MS)
      if (rate === 0) throw new Error('no rate is lossless: the machine does too much else')
      await stored(running.url)
      figures.push({ name: 'lossless for two seconds', value: (rate * load.records) / 1000, unit: 'k rows/s' })
      steady = Math.round(rate * SHARE)
    }
    const lossy: string[] = []
    let minute = await steadily(running, subject, sender, steady, load)
    for (; minute.lost && lossy.length < MOST_TRIES; minute = await steadily(running, subject, sender, steady, load)) {
      lossy.push(`${Math.round((steady * load.records) / 1000)} k`)
      steady = Math.round(steady * STEP_DOWN)
    }
    figures.push(...minute.figures)
    if (lossy.length > 0) figures.push({ name: 'minutes that lost something', value: lossy.length, unit: 'minutes', note: `at ${lossy.join(', ')} rows/s` }) // prettier-ignore
    figures.push(...(await overloaded(subject, sender, steady / SHARE)))
    await stored(running.url)
    const dropped = await metric(running.url, dropsOf(load))
    const refused = await metric(running.url, 'ovsight_datagrams_dropped_total{reason="overload"}')
    const spoolRows = await metric(running.url, 'ovsight_rows_dropped_total{reason="spool_full"}')
    const lost = await sumOf(running.url, LOST)
    await running.stop()
    const counted = (dropped + refused) * load.records + spoolRows
    const sent = sender.sent * load.records
    figures.push({
      name: 'sent in all',
      value: sent / 1e6,
      unit: 'M records',
      note: `of which the kernel dropped ${dropped} datagrams, the collector ${refused}, its spool ${spoolRows} rows${load.sequenceAt === 0 ? '' : `; missing by sequence ${lost} records`}`,
    })
    await compare(data, sent - counted)
    return figures
  } finally {
    await running.stop('SIGKILL')
    sender.close()
    rmSync(data, { recursive: true, force: true })
  }
}

/** A minute at a rate that it may bear: nothing dropped, memory as it was. */
async function steadily(
  { pid, url }: { pid: number; url: string },
  subject: { queue(): { drops: number } },
  sender: Sender,
  rate: number,
  load: Load,
): Promise<{ figures: Figure[]; lost: boolean }> {
  const { records } = load
  const before = subject.queue().drops
  const toldBefore = await metric(url, dropsOf(load))
  const lostBefore = await sumOf(url, LOST)
  const cpuBefore = cpuSeconds(pid)
  const sentBefore = sender.sent
  const resident: { atMs: number; mib: number }[] = []
  let next = SETTLED_MS
  const reached = await sendAt(sender, rate, STEADY_MS, (elapsedMs) => {
    if (elapsedMs < next) return
    resident.push({ atMs: elapsedMs, mib: residentMib(pid) })
    next = elapsedMs + 1000
  })
  await stored(url)
  const sent = sender.sent - sentBefore
  const cpu = ((cpuSeconds(pid) - cpuBefore) / (sent * records)) * 1e6
  const drops = subject.queue().drops - before
  const lost = load.sequenceAt === 0 ? 0 : (await sumOf(url, LOST)) - lostBefore
  const told = (await metric(url, dropsOf(load))) - toldBefore
  const figures: Figure[] = [
    {
      name: 'for a minute',
      value: Math.round((reached * records) / 1000),
      unit: 'k rows/s',
      target: REACH_ROWS,
      note: `${cpu.toFixed(2)} CPU s a million rows, engine and merges included`,
    },
    { name: 'dropped meanwhile', value: drops, unit: 'datagrams', target: 0, atMost: true, note: 'by /proc/net/udp' },
    { name: 'the same by /metrics', value: told, unit: 'datagrams', target: 0, atMost: true },
    ...(load.sequenceAt === 0
      ? []
      : [{ name: 'missing meanwhile by sequence', value: lost, unit: 'records', target: 0, atMost: true as const }]),
    {
      name: 'memory after the first 10 s',
      value: slope(resident) * 60_000,
      unit: 'MiB a minute',
      target: 64,
      atMost: true,
      note: `resident ${Math.round(resident[0]?.mib ?? NaN)} to ${Math.round(resident.at(-1)?.mib ?? NaN)} MiB, engine included`,
    },
  ]
  return { figures, lost: drops + told + lost > 0 }
}

/** Half a minute of three times as much: what is too much is dropped and counted, and then it goes on. */
async function overloaded(
  subject: { queue(): { queuedBytes: number; drops: number } },
  sender: Sender,
  rate: number,
): Promise<Figure[]> {
  const before = subject.queue().drops
  const sentBefore = sender.sent
  await sendAt(sender, rate * 3, OVERLOAD_MS)
  const start = performance.now()
  const share = (subject.queue().drops - before) / (sender.sent - sentBefore)
  await drained(subject)
  const recoveredMs = performance.now() - start
  const after = subject.queue().drops
  await sendAt(sender, rate * 0.5, 1000)
  await drained(subject)
  assert.equal(subject.queue().drops, after, 'datagrams dropped after the overload was over')
  return [
    { name: 'overload of three times: dropped', value: share * 100, unit: '%' },
    { name: 'until its queue was empty again', value: recoveredMs, unit: 'ms', target: RECOVERY_MS, atMost: true },
  ]
}

/** Resolves when the store has all that was received. */
async function stored(url: string): Promise<void> {
  const end = performance.now() + DRAIN_MS
  do {
    await sleep(1500)
    if (performance.now() > end) throw new Error('the spool is not empty yet')
  } while ((await metric(url, 'ovsight_spool_blocks')) > 0)
}

/** Sum of a metric over its labels. */
async function sumOf(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** What was sent and not counted as lost is in both tables. */
async function compare(data: string, expected: number): Promise<void> {
  const store = await openStore({ data })
  try {
    const count = async (sql: string) => Number((await store.query({ sql, params: {} })).rows[0]?.['n'])
    assert.equal(
      await count(`SELECT count() AS n FROM ${FLOWS}`),
      expected,
      'rows stored beside records sent and not counted as lost',
    )
    assert.equal(await count(`SELECT sum(records) AS n FROM ${MINUTES}`), expected, 'records of the sums')
  } finally {
    await store.close()
  }
}

/** Least squares: MiB a millisecond. */
function slope(points: readonly { atMs: number; mib: number }[]): number {
  const meanX = points.reduce((sum, { atMs }) => sum + atMs, 0) / points.length
  const meanY = points.reduce((sum, { mib }) => sum + mib, 0) / points.length
  const xy = points.reduce((sum, { atMs, mib }) => sum + (atMs - meanX) * (mib - meanY), 0)
  const xx = points.reduce((sum, { atMs }) => sum + (atMs - meanX) ** 2, 0)
  return xy / xx
}
