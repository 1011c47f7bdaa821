import assert from 'node:assert/strict'
import { NO_SINK, type Datagram, type Decoder } from '../src/decode/decoder.ts'
import { IpfixDecoder } from '../src/decode/ipfix/decoder.ts'
import { Netflow5Decoder } from '../src/decode/netflow5.ts'
import { FlowBatch, getU64 } from '../src/schema/batch.ts'
import { capturedDatagrams } from '../test/decode/captured.ts'
import { PCAPS } from '../test/paths.ts'
import { IpfixObjects, netflow5Objects, type FlowObject } from './decode-objects.ts'
import { measure, type Bench, type Figure } from './figure.ts'

const RECORDS_NETFLOW5 = 30
const RECORDS_IPFIX = 21
/** Elements and lengths of a router's template: fixed lengths, the usual 21 fields. */
const FIXED_TEMPLATE = [
  [8, 4],
  [12, 4],
  [7, 2],
  [11, 2],
  [4, 1],
  [5, 1],
  [6, 1],
  [10, 4],
  [14, 4],
  [1, 8],
  [2, 8],
  [152, 8],
  [153, 8],
  [56, 6],
  [80, 6],
  [58, 2],
  [61, 1],
  [136, 1],
  [192, 1],
  [256, 2],
  [60, 1],
] as const
const TEMPLATE_ID = 300
/** Octets of what is written first; the packets come after them. */
const PACKETS = 2
const OCTETS = 1

/** NetFlow v5 and IPFIX into all their columns, beside one object a record. */
export const benchDecode: Bench = async () => [...(await netflow5()), ...ipfixFixed(), ...(await ipfixOvs())]

async function netflow5(): Promise<Figure[]> {
  const records = (await capturedDatagrams(`${PCAPS}netflow5/capture.pcap`, (port) => port === 2055)).flatMap(
    ({ bytes }) =>
      Array.from({ length: Math.floor((bytes.length - 24) / 48) }, (_, i) => bytes.subarray(24 + i * 48, 72 + i * 48)),
  )
  const buffers = Array.from({ length: 64 }, (_, d) => {
    const head = Buffer.alloc(24)
    head.writeUInt16BE(5, 0)
    head.writeUInt16BE(RECORDS_NETFLOW5, 2)
    head.writeUInt32BE(3_600_000, 4)
    head.writeUInt32BE(1_763_798_000, 8)
    return Buffer.concat([
      head,
      ...Array.from({ length: RECORDS_NETFLOW5 }, (__, i) => records[(d * 7 + i) % records.length]!),
    ])
  })
  const decoder = new Netflow5Decoder(NO_SINK)
  return compare('NetFlow v5, 30 a datagram', 25, decoder, buffers, [], netflow5Objects, (flow) => [
    flow['dPkts']!,
    flow['srcport']!,
  ])
}

function ipfixFixed(): Figure[] {
  const template = Buffer.alloc(8 + FIXED_TEMPLATE.length * 4)
  template.writeUInt16BE(2, 0)
  template.writeUInt16BE(template.length, 2)
  template.writeUInt16BE(TEMPLATE_ID, 4)
  template.writeUInt16BE(FIXED_TEMPLATE.length, 6)
  for (const [i, [id, length]] of FIXED_TEMPLATE.entries()) {
    template.writeUInt16BE(id, 8 + i * 4)
    template.writeUInt16BE(length, 10 + i * 4)
  }
  const size = FIXED_TEMPLATE.reduce((sum, [, length]) => sum + length, 0)
  const buffers = Array.from({ length: 64 }, (_, d) => {
    const set = Buffer.alloc(4 + size * RECORDS_IPFIX)
    set.writeUInt16BE(TEMPLATE_ID, 0)
    set.writeUInt16BE(set.length, 2)
    for (let i = 0; i < RECORDS_IPFIX; i++) writeRecord(set, 4 + i * size, d * RECORDS_IPFIX + i)
    return message(set)
  })
  const objects = new IpfixObjects()
  objects.decode(message(template))
  return compare(
    'IPFIX, 21 fixed fields, 21 a message',
    25,
    new IpfixDecoder(NO_SINK),
    buffers,
    [message(template)],
    (buffer) => objects.decode(buffer),
    (flow) => [flow[PACKETS]!, flow[7]!],
  )
}

function writeRecord(set: Buffer, start: number, seed: number): void {
  let at = start
  for (const [id, length] of FIXED_TEMPLATE) {
    if (id === 152 || id === 153) set.writeBigUInt64BE(1_763_798_000_000n + BigInt(seed), at)
    else if (id === PACKETS || id === OCTETS) set.writeUInt32BE(seed * (id === OCTETS ? 900 : 1) + 1, at + 4)
    else if (id === 60) set.writeUInt8(4, at)
    else if (length >= 2) set.writeUInt16BE((seed * 7 + id) & 0xffff, at + length - 2)
    at += length
  }
}

function message(set: Buffer): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt16BE(10, 0)
  head.writeUInt16BE(16 + set.length, 2)
  head.writeUInt32BE(1_763_798_000, 4)
  return Buffer.concat([head, set])
}

async function ipfixOvs(): Promise<Figure[]> {
  // One exporter: templates of the same id have one layout there.
  const payloads = await capturedDatagrams(`${PCAPS}ipfix/capture.pcap`, (port) => port === 4739)
  const [first] = payloads
  const mine = payloads.filter((one) => one.source === first!.source).map(({ bytes }) => Buffer.from(bytes))
  const isTemplate = (one: Buffer) => one.readUInt16BE(16) < 256
  const templates = mine.filter(isTemplate)
  const objects = new IpfixObjects()
  for (const template of templates) objects.decode(template)
  const data = mine.filter((one) => !isTemplate(one) && one.readUInt16BE(16) !== 462)
  return compare(
    'IPFIX of Open vSwitch, 1 a message',
    8,
    new IpfixDecoder(NO_SINK),
    data,
    templates,
    (buffer) => objects.decode(buffer),
    (flow) => [flow[PACKETS]!, flow[7] ?? 0],
  )
}

/** Checks that both see the same packets and source ports, then times both. */
function compare(
  name: string,
  target: number,
  decoder: Decoder,
  buffers: readonly Buffer[],
  before: readonly Buffer[],
  asObjects: (buffer: Buffer) => FlowObject[],
  of: (flow: FlowObject) => (string | number)[],
): Figure[] {
  const out = new FlowBatch()
  for (const input of inOneArena(before)) decoder.decode(input, out)
  const inputs = inOneArena(buffers)
  // Templates are compiled once they have been used a while.
  for (let i = 0; i < 200; i++) {
    out.reset()
    for (const input of inputs) decoder.decode(input, out)
  }
  const flows = buffers.flatMap(asObjects)
  const { rows } = out
  assert.equal(rows, flows.length)
  for (const [row, flow] of flows.entries())
    assert.deepEqual([getU64(out.columns.packets, row), out.columns.src_l4_port[row]], of(flow))

  const columns = measure(rows, () => {
    // Not zeroed: emptying a batch is the pipeline's, and costs the same for every protocol.
    if (out.free < 2 * rows + 64) out.rows = 0
    for (const input of inputs) decoder.decode(input, out)
  })
  const objects = measure(rows, () => {
    for (const buffer of buffers) asObjects(buffer)
  })
  return [
    { name: `${name}, into all columns`, value: columns / 1e6, unit: 'M records/s', target },
    { name: `${name}, one object a record`, value: objects / 1e6, unit: 'M records/s' },
    { name: `${name}, columns beside objects`, value: columns / objects, unit: 'times' },
  ]
}

/** As they lie after reception: one arena, one view. */
function inOneArena(buffers: readonly Buffer[]): Datagram[] {
  const STRIDE = 1600
  const bytes = new Uint8Array(Math.max(1, buffers.length) * STRIDE)
  const view = new DataView(bytes.buffer)
  return buffers.map((buffer, i) => {
    bytes.set(buffer, i * STRIDE)
    return {
      bytes,
      view,
      start: i * STRIDE,
      end: i * STRIDE + buffer.length,
      receivedMs: 1_763_798_000_000,
      exporter: Uint32Array.of(0, 0, 0xffff_0000, 0x0100_000a),
      exporterPort: 40_000,
      exporterId: 0,
    }
  })
}
