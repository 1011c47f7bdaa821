/**
 * Floods a running collector from spoofed addresses, with a genuine exporter beside the flood, and measures what the collector pays.
 *
 * The sender waits while a socket's queue is long, so that what the kernel drops is no part of the figures; what it drops all the
 * same is counted. The genuine exporter sends to the port that is flooded.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuSeconds, queueOf, residentMib } from '../../bench/load/processes.ts'
import { Flood, LONGEST, type FloodInput } from './datagrams.ts'
import { quantiles, Scrapes } from './scrapes.ts'
import { BURST, Spoofer } from './spoof.ts'

export interface FloodOptions {
  pid: number
  ports: Readonly<Record<FloodInput, number>>
  /** Where it answers /metrics. */
  url: string
  datagrams: number
  sources: number
  /** Datagrams sent beforehand while /metrics is asked for, which costs CPU of its own. */
  scraped?: number
  seed?: number
}

export interface FloodReport {
  datagrams: number
  /** Of the collector's process, without that of its store and what it takes with nothing to do: user and system. */
  cpuUs: number
  /** Resident memory of that process after what it allocates once, and how much more it was at most and is at the end. */
  residentMiB: number
  grownMiB: number
  genuine: { sent: number; received: number }
  kernelDrops: number
  metricsBytes: number
  /** How long answers of /metrics took while it was flooded: the middle one, and that which one in ten is slower than. */
  metricsMs: number
  slowMetricsMs: number
  scrapes: number
}

/** Address of the genuine exporter, and its records a datagram. */
const GENUINE = 0x7f00_4001
export const GENUINE_ADDRESS = '127.0.64.1'
const RECORDS = 30
/** One datagram of the exporter for so many of the flood. */
const SHARE = 512
/** Queue above which the sender waits. */
const LONG_BYTES = 1_000_000
/** How long the collector is watched with nothing to do: what that costs is no cost of a datagram. */
const IDLE_MS = 3_000
/** Rows of the genuine exporter beforehand: more than a block, so that all that is allocated once is. */
const WARM_DATAGRAMS = 12_000
const WARM_FLOOD = 100_000

export async function flood(options: FloodOptions): Promise<FloodReport> {
  const { pid, ports, url } = options
  const made = await Flood.open(options.seed)
  const spoofer = new Spoofer()
  const lengths = new Uint32Array(BURST)
  const sources = new Uint32Array(BURST)
  const queues = Object.entries(ports).map(
    ([input, port]) =>
      () =>
        queueOf(input as FloodInput, port),
  )
  const room = async () => {
    for (const queue of queues) while (queue().queuedBytes > LONG_BYTES) await sleep(1)
  }
  let genuine = 0
  const sendGenuine = (count: number) => {
    for (let i = 0; i < count; i++) lengths[i] = writeGenuine(spoofer.payloads, i * LONGEST, genuine++)
    spoofer.send(ports.netflow, count, lengths, sources.fill(GENUINE))
  }
  const sendFlood = async (wanted: number) => {
    for (let sent = 0; sent < wanted; sent += BURST) {
      const { input, make } = made.burst()
      for (let i = 0; i < BURST; i++) {
        lengths[i] = make(spoofer.payloads, i * LONGEST)
        sources[i] = made.source(options.sources)
      }
      spoofer.send(ports[input], BURST, lengths, sources)
      if (sent % SHARE !== 0) continue
      sendGenuine(1)
      await room()
    }
  }
  const drained = async () => {
    while (queues.some((queue) => queue().queuedBytes > 0)) await sleep(20)
    await sleep(1_500)
  }
  for (let i = 0; i < WARM_DATAGRAMS; i += BURST) {
    sendGenuine(BURST)
    await room()
  }
  await sendFlood(WARM_FLOOD)
  await drained()
  const scrapes = new Scrapes(url)
  await sendFlood(options.scraped ?? 0)
  // The first one loads what writes the page.
  const tookMs = (await scrapes.end()).slice(1)
  await drained()
  const resident = residentMib(pid, false)
  const own = () => cpuSeconds(pid, false)
  const idleFrom = own()
  await sleep(IDLE_MS)
  const idlePerMs = (own() - idleFrom) / IDLE_MS
  const start = performance.now()
  const cpuBefore = own()
  const began = genuine
  let most = resident
  const look = setInterval(() => (most = Math.max(most, residentMib(pid, false))), 250)
  await sendFlood(options.datagrams)
  await drained()
  clearInterval(look)
  const taken = options.datagrams + genuine - began
  const idle = idlePerMs * (performance.now() - start)
  const cpuUs = ((own() - cpuBefore - idle) * 1e6) / taken
  spoofer.close()
  const page = await (await fetch(`${url}/metrics`)).text()
  const { medianMs, slowMs } = quantiles(tookMs)
  const line = `ovsight_exporter_datagrams_total{exporter="${GENUINE_ADDRESS}"} `
  return {
    datagrams: options.datagrams,
    cpuUs,
    residentMiB: resident,
    grownMiB: Math.max(most, residentMib(pid, false)) - resident,
    genuine: { sent: genuine, received: valueOf(page, line) },
    // As the collector counts them: the drops of a port in /proc/net/udp are also those at its gate, which are refused.
    kernelDrops: Object.keys(ports).reduce(
      (sum, input) => sum + valueOf(page, `ovsight_receive_kernel_drops_total{listener="${input}"} `),
      0,
    ),
    metricsBytes: page.length,
    metricsMs: medianMs,
    slowMetricsMs: slowMs,
    scrapes: tookMs.length,
  }
}

function valueOf(page: string, start: string): number {
  const line = page.split('\n').find((one) => one.startsWith(start))
  return line === undefined ? 0 : Number(line.slice(start.length))
}

/** NetFlow v5 in sequence, of one engine. */
function writeGenuine(into: DataView, at: number, number: number): number {
  const length = 24 + RECORDS * 48
  new Uint8Array(into.buffer).fill(0, at, at + length)
  into.setUint32(at, (5 << 16) | RECORDS)
  into.setUint32(at + 4, 60_000)
  into.setUint32(at + 8, Math.floor(Date.now() / 1000))
  into.setUint32(at + 16, number * RECORDS)
  for (let record = at + 24; record < at + length; record += 48) {
    into.setUint32(record, 0x0a00_0001)
    into.setUint32(record + 4, 0x0a00_0002 + (record & 0xff))
    into.setUint32(record + 16, 1)
    into.setUint32(record + 20, 100)
    into.setUint32(record + 24, 50_000)
    into.setUint32(record + 28, 59_000)
    into.setUint8(record + 38, 6)
  }
  return length
}
