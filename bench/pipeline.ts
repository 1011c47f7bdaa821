/** The whole way of a record: decode, attribute, encode, spool, insert into the embedded engine. And what decoding does to the heap. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { attributeBy, flowBlock } from '../src/cli/engine.ts'
import { loadConfig } from '../src/config/load.ts'
import { parseIp } from '../src/identity/addresses.ts'
import { EMPTY_SNAPSHOT, buildSnapshot } from '../src/identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../src/identity/snapshot/snapshot.ts'
import { loadIdentityFile } from '../src/identity/sources/file.ts'
import { type PipelineEnds, buildPipeline } from '../src/pipeline/build.ts'
import type { Input } from '../src/pipeline/demultiplex.ts'
import type { DatagramBatch } from '../src/receive/receiver.ts'
import { ChdbStore } from '../src/store/chdb.ts'
import { Writer } from '../src/store/writer.ts'
import { FLOWS } from '../src/schema/ddl.ts'
import { readCapture } from '../src/wire/capture.ts'
import { fileBytes } from '../src/wire/source.ts'
import { TRANSPORT, Transport } from '../src/wire/transport.ts'
import { PCAPS } from '../test/paths.ts'
import { type CloudSize, hostAddress, syntheticCloud } from './cloud.ts'
import type { Bench, Figure } from './figure.ts'
import { NETFLOW5_RECORDS, writeRecords } from './netflow5.ts'

/** Rows a second to reach on two cores, in thousands. */
const TARGET_KROWS = 400
const HEAP_TARGET_MB = 20
const ROWS = 2_000_000
const HEAP_ROWS = 10_000_000
const SIZE: CloudSize = { hosts: 50, ports: 20, networks: 25 }
/** Different datagrams; the stream repeats them. */
const DATAGRAMS = 4_000

/** A stream of datagrams that is fed again and again. */
interface Stream {
  name: string
  input: Input
  identity: IdentitySnapshot
  batch: DatagramBatch
  /** Rows that one pass gives. */
  rows: number
}

export const benchPipeline: Bench = async () => {
  const figures: Figure[] = []
  for (const stream of [netflowStream(), await ipfixStream()]) {
    figures.push(...(await wholeWay(stream)))
    figures.push(await heapOf(stream))
  }
  return figures
}

/** Feeds a stream to a store in a temporary directory until it holds ROWS rows. */
export async function wholeWay(stream: Stream): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const store = await ChdbStore.open({ directory })
  try {
    await store.migrate()
    const writer = await Writer.open(store, { directory })
    let blocks = 0
    const emit: PipelineEnds['emit'] = (block) => writer.enqueue(flowBlock(block, `bench-${blocks++}`))
    const pipeline = newPipeline(stream, emit)
    const engineBefore = cpuSeconds(store.enginePid)
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    const rows = await feed(pipeline, stream, ROWS)
    await pipeline.flush()
    await writer.flush()
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(cpuBefore)
    const engine = cpuSeconds(store.enginePid) - engineBefore
    await checkStored(store, rows)
    await writer.close()
    const own = ((user + system) / 1e6 / rows) * 1e6
    return [
      {
        name: `${stream.name}: decode, attribute, encode, insert`,
        value: rows / seconds / 1000,
        unit: 'k rows/s',
        target: TARGET_KROWS,
        note: `CPU s a million rows: ${own.toFixed(2)} here, ${((engine / rows) * 1e6).toFixed(2)} in the engine`,
      },
    ]
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

async function checkStored(store: ChdbStore, rows: number): Promise<void> {
  const { rows: found } = await store.query({
    sql: `SELECT count() AS n, sum(l2_bytes > 0) AS m FROM ${FLOWS}`,
    params: {},
  })
  assert.equal(Number(found[0]?.['n']), rows)
  assert.equal(Number(found[0]?.['m']), rows)
}

/** Growth of heap and buffers over ten million records decoded and encoded, blocks thrown away. */
export async function heapOf(stream: Stream): Promise<Figure> {
  const emit: PipelineEnds['emit'] = (block) => {
    block.release()
    return Promise.resolve()
  }
  const pipeline = newPipeline({ ...stream, identity: EMPTY_SNAPSHOT }, emit)
  await feed(pipeline, stream, 500_000)
  const before = memory()
  const start = performance.now()
  const rows = await feed(pipeline, stream, HEAP_ROWS)
  const seconds = (performance.now() - start) / 1000
  return {
    name: `${stream.name}: growth of memory over ${rows / 1e6} M records`,
    value: Math.max(0, memory() - before) / 1e6,
    unit: 'MB',
    target: HEAP_TARGET_MB,
    atMost: true,
    note: `heap and buffers; ${(rows / seconds / 1e6).toFixed(1)} M rows/s decoded and encoded`,
  }
}

function newPipeline(stream: Stream, emit: PipelineEnds['emit']) {
  const { config } = loadConfig()
  return buildPipeline(
    config,
    { attribute: attributeBy(config, () => stream.identity), emit },
    { flushAfterMs: Infinity },
  ).pipeline
}

async function feed(pipeline: ReturnType<typeof newPipeline>, stream: Stream, wanted: number): Promise<number> {
  const { batch, input } = stream
  let rows = 0
  while (rows < wanted) {
    // A receiver hands over 256 datagrams at most; the rest of the pass follows as views of the same arena.
    for (let at = 0; at < batch.count; at += 256) {
      if (pipeline.busy) await pipeline.ready()
      pipeline.feed(input, part(batch, at, Math.min(at + 256, batch.count)))
    }
    rows += stream.rows
    await new Promise(setImmediate)
  }
  assert.equal(pipeline.counters.dropped.overload, 0)
  return rows
}

function part(batch: DatagramBatch, from: number, to: number): DatagramBatch {
  return {
    ...batch,
    count: to - from,
    start: batch.start.subarray(from, to),
    end: batch.end.subarray(from, to),
    source: batch.source.subarray(from * 4, to * 4),
    sourcePort: batch.sourcePort.subarray(from, to),
  }
}

/** Full NetFlow v5 datagrams of fifty hosts, whose servers talk to others of their network. */
export function netflowStream(): Stream {
  const payloads = Array.from({ length: DATAGRAMS }, (_, d) => {
    const host = d % SIZE.hosts
    const bytes = Buffer.alloc(24 + NETFLOW5_RECORDS * 48)
    bytes.writeUInt16BE(5)
    bytes.writeUInt16BE(NETFLOW5_RECORDS, 2)
    bytes.writeUInt32BE(3_600_000, 4)
    bytes.writeUInt32BE(1_790_000_000 + (d >> 4), 8)
    bytes.writeUInt32BE(Math.floor(d / SIZE.hosts) * NETFLOW5_RECORDS, 16)
    writeRecords(bytes, host, d, SIZE)
    return { bytes, source: parseIp(hostAddress(host))!, port: 40_000 }
  })
  const identity = buildSnapshot(syntheticCloud(SIZE), 0)
  return {
    name: 'NetFlow v5, 30 a datagram',
    input: 'netflow',
    identity,
    batch: inArena(payloads),
    rows: DATAGRAMS * NETFLOW5_RECORDS,
  }
}

/** The lab's IPFIX, one record a datagram as Open vSwitch sends it, again and again. */
export async function ipfixStream(): Promise<Stream> {
  const { cloud } = await loadIdentityFile(`${PCAPS}ipfix/identity.yaml`)
  const payloads: Payload[] = []
  let rows = 0
  const transport = new Transport()
  for await (const packet of readCapture(fileBytes(`${PCAPS}ipfix/capture.pcap`))) {
    if (transport.find(packet) !== TRANSPORT.udp) continue
    const bytes = Buffer.from(transport.bytes.slice(transport.start, transport.end))
    // Set 2 holds templates, 462 is the one of options data: all others are records.
    const set = bytes.readUInt16BE(16)
    const isRecord = set >= 256 && set !== 462
    if (isRecord) rows++
    payloads.push({ bytes, source: transport.source.slice(), port: transport.sourcePort })
  }
  const records = payloads.filter(({ bytes }) => bytes.readUInt16BE(16) >= 256 && bytes.readUInt16BE(16) !== 462)
  const rest = payloads.filter((payload) => !records.includes(payload))
  const many = Array.from({ length: 200 }, () => records).flat()
  return {
    name: 'IPFIX of Open vSwitch, 1 a datagram',
    input: 'ipfix',
    identity: buildSnapshot(cloud, 0),
    batch: inArena([...rest, ...many]),
    rows: rows * 200,
  }
}

interface Payload {
  bytes: Buffer
  source: ArrayLike<number>
  port: number
}

function inArena(payloads: readonly Payload[]): DatagramBatch {
  const bytes = new Uint8Array(Buffer.concat(payloads.map((payload) => payload.bytes)))
  const end = new Uint32Array(payloads.length)
  const start = new Uint32Array(payloads.length)
  let at = 0
  for (const [i, payload] of payloads.entries()) {
    start[i] = at
    at += payload.bytes.length
    end[i] = at
  }
  return {
    bytes,
    view: new DataView(bytes.buffer),
    count: payloads.length,
    start,
    end,
    source: Uint32Array.from(payloads.flatMap(({ source }) => Array.from(source))),
    sourcePort: Uint16Array.from(payloads, ({ port }) => port),
    receivedMs: 1_790_000_000_000,
  }
}

/** CPU seconds of a process so far; 100 ticks a second on Linux. */
function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined) return 0
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Bytes of heap and buffers that are in use. */
function memory(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
