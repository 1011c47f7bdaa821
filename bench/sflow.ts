import assert from 'node:assert/strict'
import { NO_SINK, type Datagram } from '../src/decode/decoder.ts'
import { Sflow5Decoder } from '../src/decode/sflow5/decoder.ts'
import { FlowBatch, getU64 } from '../src/schema/batch.ts'
import { capturedDatagrams } from '../test/decode/captured.ts'
import { datagram, type Payload } from '../test/decode/ipfix-feed.ts'
import { PCAPS } from '../test/paths.ts'
import { measure, type Bench, type Figure } from './figure.ts'
import { decodeToObjects } from './sflow-objects.ts'

/** Flow samples a datagram at least: OVS fills them to 1400 bytes, which is six to eight samples with 128 bytes of header. */
const FULL = 6
const TARGET = 10

/** sFlow v5 of the lab: full datagrams with their headers dissected into all columns, beside one object a sample. */
export const benchSflow: Bench = async () => {
  const payloads = await capturedDatagrams(`${PCAPS}sflow5/capture.pcap`, (port) => port === 6343)
  const out = new FlowBatch()
  const decoder = new Sflow5Decoder(NO_SINK)
  const full = payloads.filter((payload) => rowsIn(decoder, payload, out) >= FULL)
  const buffers = full.map(({ bytes }) => Buffer.from(bytes))
  const rows = checkEqual(decoder, full, buffers, out)

  const inputs = inOneArena(full)
  const columns = measure(rows, () => {
    // Not zeroed: emptying a batch is the pipeline's, and costs the same for every protocol.
    if (out.free < 2 * rows) out.rows = 0
    for (const input of inputs) decoder.decode(input, out)
  })
  const objects = measure(rows, () => {
    for (const buffer of buffers) decodeToObjects(buffer)
  })
  const note = `${full.length} datagrams, ${(rows / full.length).toFixed(1)} samples each`
  return [
    {
      name: 'sFlow v5, header dissected, into all columns',
      value: columns / 1e6,
      unit: 'M samples/s',
      target: TARGET,
      note,
    },
    { name: 'sFlow v5, one object a sample', value: objects / 1e6, unit: 'M samples/s' },
    { name: 'sFlow v5, columns beside objects', value: columns / objects, unit: 'times' },
  ] satisfies Figure[]
}

function rowsIn(decoder: Sflow5Decoder, payload: Payload, out: FlowBatch): number {
  out.reset()
  decoder.decode(datagram(payload.bytes, payload), out)
  return out.rows
}

/** Both decoders see the same packets and octets; answers how many rows there are. */
function checkEqual(decoder: Sflow5Decoder, full: Payload[], buffers: Buffer[], out: FlowBatch): number {
  out.reset()
  for (const payload of full) decoder.decode(datagram(payload.bytes, payload), out)
  const flows = buffers.flatMap((buffer) => decodeToObjects(buffer))
  assert.equal(out.rows, flows.length)
  for (const [row, flow] of flows.entries()) {
    assert.equal(getU64(out.columns.bytes, row), flow.bytes)
    assert.equal(getU64(out.columns.l2_bytes, row), flow.l2Bytes)
    assert.equal(out.columns.src_l4_port[row], flow.srcPort)
    assert.equal(out.columns.in_if[row], flow.input)
  }
  const { rows } = out
  out.reset()
  return rows
}

/** As they lie after reception: one arena, one view. */
function inOneArena(payloads: Payload[]): Datagram[] {
  const STRIDE = 1600
  const bytes = new Uint8Array(payloads.length * STRIDE)
  const view = new DataView(bytes.buffer)
  return payloads.map((payload, i) => {
    bytes.set(payload.bytes, i * STRIDE)
    return {
      ...datagram(payload.bytes, payload),
      bytes,
      view,
      start: i * STRIDE,
      end: i * STRIDE + payload.bytes.length,
    }
  })
}
