/** The bundled captures, and how each comes into the demo's collector: over UDP, or, mirrored frames, through replay. */
import { type Socket, createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/options.ts'
import { buildSnapshot } from '../identity/snapshot/build.ts'
import { loadIdentityFile } from '../identity/sources/file.ts'
import type { Input } from '../pipeline/demultiplex.ts'
import { readCapture } from '../wire/capture.ts'
import { fileBytes } from '../wire/source.ts'
import { TRANSPORT, Transport } from '../wire/transport.ts'
import type { Collector } from './collector.ts'
import { parsePorts, replayInto } from './replay.ts'

/** `pcaps/` beside `dist/`. */
const PCAPS = fileURLToPath(new URL('../../../pcaps/', import.meta.url))

export interface DemoCapture {
  folder: string
  title: string
  /** Listener its datagrams are sent to; undefined for mirrored frames, which need a privilege to be received. */
  input?: Input
  /** `export_protocol` of its rows. */
  protocol: string
  /** Servers whose traffic it has whole; undefined for all. */
  whole?: readonly string[]
}

export const CAPTURES: readonly DemoCapture[] = [
  { folder: 'ipfix', title: 'IPFIX', input: 'ipfix', protocol: 'ipfix' },
  { folder: 'netflow5', title: 'NetFlow v5', input: 'netflow', protocol: 'netflow5' },
  { folder: 'sflow5', title: 'sFlow v5, 1 in 8', input: 'sflow', protocol: 'sflow5' },
  { folder: 'gre-mirror', title: 'GRE mirror of red-1', protocol: 'gre', whole: ['red-1'] },
]

/** Datagrams that may be on their way: few enough for the smallest receive buffer. */
const MAX_AHEAD = 32

/** The exporters' addresses are none of this machine: datagrams come from others, which stand for them. */
const SENDERS: Readonly<Record<string, string>> = {
  '10.0.10.14': '127.0.0.14',
  '10.0.10.23': '127.0.0.23',
  '10.0.10.10': '127.0.0.10',
}

/** `127.0.0.14=10.0.10.14`, …: for the option exporter_alias. */
export function senderAliases(): string[] {
  return Object.entries(SENDERS).map(([exporter, sender]) => `${sender}=${exporter}`)
}

export interface Fed {
  datagrams: number
  rows: number
  /** How long it took until all was stored, milliseconds. */
  ms: number
}

/**
 * Brings one capture into the collector, under the identity of its own run (each run of the lab had its own OVSDB), and waits until
 * all of it is stored.
 */
export async function feedCapture(collector: Collector, config: Config, capture: DemoCapture): Promise<Fed> {
  const start = Date.now()
  const { cloud } = await loadIdentityFile(`${PCAPS}${capture.folder}/identity.yaml`)
  const identity = buildSnapshot(cloud, Date.now())
  const file = `${PCAPS}${capture.folder}/capture.pcap`
  let datagrams: number
  let rows: number
  if (capture.input === undefined) {
    const { replay, pipeline } = await replayInto(collector.writer, [file], parsePorts([]), config, identity)
    datagrams = replay.counts.datagrams.gre
    rows = sum(pipeline.counters.rows)
  } else {
    const { counters } = collector.intake.built.pipeline
    const [datagramsBefore, rowsBefore] = [sum(counters.decoded), sum(counters.rows)]
    collector.use(identity)
    const arrived = () => sum(counters.decoded) - datagramsBefore
    const sent = await sendCapture(file, collector.listeners.get(capture.input)!.port, arrived)
    await until(() => arrived() >= sent)
    datagrams = arrived()
    rows = sum(counters.rows) - rowsBefore
    await collector.intake.built.pipeline.flush()
  }
  await collector.writer.flush()
  return { datagrams, rows, ms: Date.now() - start }
}

/** A server's own interface counters over the run: bytes of layer 2 without FCS, sent and received. */
export function interfaceCounters(capture: DemoCapture): Map<string, { sent: number; received: number }> {
  const lines = readFileSync(`${PCAPS}${capture.folder}/truth.txt`, 'utf8').trim().split('\n').slice(1)
  const counters = new Map<string, { sent: number; received: number }>()
  for (const line of lines) {
    const [namespace = '', sent, , received] = line.split(' ')
    const server = SERVERS[namespace]
    if (server !== undefined) counters.set(server, { sent: Number(sent), received: Number(received) })
  }
  return counters
}

/** Network namespaces of the lab, and the servers that they stand for. */
const SERVERS: Readonly<Record<string, string>> = {
  r8: 'red-1',
  r9: 'red-2',
  r10: 'red-10',
  r3: 'red-3',
  b8: 'blue-1',
  b9: 'blue-2',
}

/**
 * Sends the datagrams of a capture, from one socket for each exporter and port of theirs, not faster than they arrive; how many.
 */
async function sendCapture(file: string, port: number, arrived: () => number): Promise<number> {
  const sockets = new Map<string, Socket>()
  const transport = new Transport()
  let sent = 0
  try {
    for await (const packet of readCapture(fileBytes(file))) {
      if (transport.find(packet) !== TRANSPORT.udp) continue
      const exporter = new Uint8Array(transport.source.buffer).subarray(12).join('.')
      const key = `${exporter}:${transport.sourcePort}`
      let socket = sockets.get(key)
      if (socket === undefined) {
        socket = await boundSocket(SENDERS[exporter] ?? '127.0.0.1')
        sockets.set(key, socket)
      }
      await sendOne(socket, transport.bytes.slice(transport.start, transport.end), port)
      sent++
      await until(() => sent - arrived() < MAX_AHEAD)
    }
  } finally {
    for (const socket of sockets.values()) socket.close()
  }
  return sent
}

function boundSocket(address: string): Promise<Socket> {
  const socket = createSocket('udp4')
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, address, () => resolve(socket))
  })
}

function sendOne(socket: Socket, payload: Uint8Array, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(payload, port, '127.0.0.1', (error) => (error === null ? resolve() : reject(error)))
  })
}

/** Waits for a condition, at most five seconds: a loopback may drop too, and the report says what came. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !holds(); i++) await sleep(5)
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}
