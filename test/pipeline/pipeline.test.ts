import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Decoder } from '../../src/decode/decoder.ts'
import { DECODE_STATUS_NAMES, STATUS } from '../../src/decode/status.ts'
import { PROTOCOLS } from '../../src/decode/decoder.ts'
import { ExporterTable } from '../../src/pipeline/exporters.ts'
import type { Input } from '../../src/pipeline/demultiplex.ts'
import { demultiplex, resembles } from '../../src/pipeline/demultiplex.ts'
import type { Pipeline } from '../../src/pipeline/pipeline.ts'
import type { DatagramBatch } from '../../src/receive/receiver.ts'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { collectBlocks, lanesOf, testPipeline } from './parts.ts'

/** Datagrams as a receiver hands them over. */
function datagrams(payloads: readonly Uint8Array[], from = '10.0.10.14', receivedMs = 1000): DatagramBatch {
  const bytes = Buffer.concat(payloads)
  const ends = payloads.reduce<number[]>((all, { length }) => [...all, (all.at(-1) ?? 0) + length], [])
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    count: payloads.length,
    start: Uint32Array.from([0, ...ends]),
    end: Uint32Array.from(ends),
    source: Uint32Array.from(payloads.flatMap(() => [...lanesOf(from)])),
    sourcePort: new Uint16Array(payloads.length).fill(50_000),
    receivedMs,
  }
}

function netflow5(records: number, sequence = 0): Buffer {
  const bytes = Buffer.alloc(24 + records * 48)
  bytes.writeUInt16BE(5)
  bytes.writeUInt16BE(records, 2)
  bytes.writeUInt32BE(1_700_000_000, 8)
  bytes.writeUInt32BE(sequence, 16)
  return bytes
}

function counted(pipeline: Pipeline): Record<string, number> {
  return Object.fromEntries(
    [...pipeline.counters.datagrams()].map(({ protocol, status, count }) => [
      `${PROTOCOLS[protocol]} ${DECODE_STATUS_NAMES[status]}`,
      count,
    ]),
  )
}

/** Appends `rows` rows a datagram. */
function rowsDecoder(rows: number): Decoder {
  return {
    protocol: 'sflow5',
    decode(_, out) {
      out.columns.src_l4_port.fill(7, out.rows, out.rows + rows)
      out.rows += rows
      return STATUS.ok
    },
  }
}

describe('Pipeline', () => {
  it('counts every datagram by protocol and status, and its exporter', () => {
    const exporters = new ExporterTable({ max: 16, idleMs: 1e9 })
    const pipeline = testPipeline({ exporters })
    pipeline.feed('netflow', datagrams([netflow5(2), netflow5(1).subarray(0, 30), Buffer.alloc(24, 7)]))
    pipeline.feed('netflow', datagrams([Buffer.alloc(0)], '10.0.10.23'))
    assert.deepEqual(counted(pipeline), {
      'netflow5 ok': 1,
      'netflow5 truncated': 1,
      'netflow5 bad_version': 1,
      'netflow5 short_header': 1,
    })
    assert.equal(exporters.size, 2)
    assert.deepEqual([exporters.datagrams[0], exporters.rows[0], exporters.faults[0]], [3, 2, 2])
    assert.deepEqual([exporters.datagrams[1], exporters.faults[1]], [1, 1])
    const faults = [...pipeline.counters.faults()]
    assert.equal(faults.length, 3)
    assert.ok(faults.every(({ count }) => count === 1))
  })

  it('hands over a block when it is full, and what is left when its time has come', async () => {
    const blocks = collectBlocks()
    const pipeline = testPipeline(
      { emit: (block) => blocks.take(block), decoders: { sflow5: rowsDecoder(100) } as never },
      { flushAfterMs: 1000, batchRows: 32_896 },
    )
    const one = datagrams([Buffer.alloc(4096)])
    for (let i = 0; i < 330; i++) pipeline.feed('sflow', one)
    assert.equal(blocks.tokens.length, 1)
    assert.ok(blocks.rows > 30_000 && blocks.rows < 33_000)
    pipeline.tick(1999)
    assert.equal(blocks.tokens.length, 1)
    pipeline.tick(2000)
    assert.equal(blocks.tokens.length, 2)
    await pipeline.flush()
    assert.equal(blocks.rows, 33_000)
    assert.equal(pipeline.counters.rows[PROTOCOLS.indexOf('sflow5')], 33_000)
  })

  it('attributes a batch before it is encoded, and starts the next one empty', async () => {
    const seen: number[] = []
    const attribute = (batch: FlowBatch) => {
      seen.push(batch.rows)
      batch.columns.src_project.fill(batch.strings.intern('red'), 0, batch.rows)
    }
    const blocks = collectBlocks()
    const pipeline = testPipeline({ attribute, emit: (block) => blocks.take(block) })
    for (const rows of [3, 1]) {
      pipeline.feed('netflow', datagrams([netflow5(rows)]))
      await pipeline.flush()
    }
    assert.deepEqual(seen, [3, 1])
    assert.ok(Buffer.from(blocks.bytes[1]!).includes('src_project'))
  })

  it('drops and counts datagrams while no block is taken, and goes on after', async () => {
    const taken: (() => void)[] = []
    const pipeline = testPipeline(
      { emit: () => new Promise((resolve) => taken.push(resolve)), decoders: { sflow5: rowsDecoder(1000) } as never },
      { maxBlocks: 2 },
    )
    const one = datagrams([Buffer.alloc(4096)])
    for (let i = 0; i < 100; i++) pipeline.feed('sflow', one)
    assert.equal(pipeline.blocksWaiting, 2)
    assert.equal(pipeline.busy, true)
    const rows = pipeline.counters.rows[PROTOCOLS.indexOf('sflow5')]!
    assert.equal(rows / 1000 + pipeline.counters.dropped.overload, 100)
    assert.ok(pipeline.counters.dropped.overload > 40)
    for (const take of taken.splice(0)) take()
    await pipeline.ready()
    const before = pipeline.counters.dropped.overload
    pipeline.feed('sflow', one)
    assert.equal(pipeline.counters.dropped.overload, before)
    const flushed = pipeline.flush()
    for (let i = 0; i < 5; i++) {
      for (const take of taken.splice(0)) take()
      await Promise.resolve()
    }
    await flushed
    assert.equal(pipeline.blocksWaiting, 0)
  })

  it('drops and counts datagrams of exporters beyond the bound', () => {
    const pipeline = testPipeline({ exporters: new ExporterTable({ max: 2, idleMs: 1e9 }) })
    for (const from of ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.1'])
      pipeline.feed('netflow', datagrams([netflow5(1)], from))
    assert.equal(pipeline.counters.dropped.exporters, 2)
    assert.deepEqual(counted(pipeline), { 'netflow5 ok': 3 })
  })

  it('writes flows that a cache held back when they time out, however many', async () => {
    const blocks = collectBlocks()
    let held = 40_000
    const give = (out: FlowBatch) => {
      const rows = Math.min(held, out.free)
      out.columns.export_protocol.fill(5, out.rows, out.rows + rows)
      out.rows += rows
      held -= rows
      return rows
    }
    const holding = [{ expire: (nowMs: number, out: FlowBatch) => (nowMs > 5000 ? give(out) : 0), flush: give }]
    const pipeline = testPipeline({ emit: (block) => blocks.take(block), holding })
    pipeline.tick(5000)
    assert.equal(held, 40_000)
    pipeline.tick(5001)
    assert.equal(held, 0)
    await pipeline.flush()
    assert.equal(blocks.rows, 40_000)
    assert.equal(pipeline.counters.rows[PROTOCOLS.indexOf('gre')], 40_000)
  })

  it('replaces a table of strings that names from the network have filled', async () => {
    const tables = new Set<unknown>()
    let n = 0
    const naming: Decoder = {
      protocol: 'sflow5',
      decode(_, out) {
        tables.add(out.strings)
        const name = Buffer.from(`tap${n++}`)
        out.columns.in_if_name[out.rows] = out.strings.internBytes(name, 0, name.length)
        out.rows++
        return STATUS.ok
      },
    }
    const pipeline = testPipeline({ decoders: { sflow5: naming } as never })
    const one = datagrams([Buffer.alloc(8)])
    for (let i = 0; i < 140_000; i++) {
      pipeline.feed('sflow', one)
      if (i % 16_000 === 0) await pipeline.ready()
    }
    await pipeline.flush()
    assert.ok(tables.size > 1)
    assert.ok(pipeline.counters.stringsRefused > 0)
  })
})

describe('demultiplex', () => {
  const versionOf = (input: Input, ...bytes: number[]) =>
    PROTOCOLS[demultiplex(input, new DataView(Uint8Array.from(bytes).buffer), 0, bytes.length)]

  it('goes by the version on both ports of NetFlow and IPFIX', () => {
    for (const input of ['netflow', 'ipfix'] as const)
      assert.deepEqual(
        [5, 9, 10].map((version) => versionOf(input, 0, version)),
        ['netflow5', 'netflow9', 'ipfix'],
      )
  })

  it('leaves an unknown version to the decoder that the port is for', () => {
    assert.deepEqual(
      (['netflow', 'ipfix', 'sflow', 'vxlan', 'gre'] as const).map((input) => versionOf(input, 0, 77)),
      ['netflow5', 'ipfix', 'sflow5', 'vxlan', 'gre'],
    )
    assert.equal(versionOf('netflow'), 'netflow5')
    assert.equal(versionOf('ipfix', 5), 'ipfix')
  })

  it('tells what a payload resembles', () => {
    const seen = (payload: Buffer) => resembles(new DataView(payload.buffer, payload.byteOffset), 0, payload.length)
    assert.equal(seen(Buffer.from(netflow5(3))), 'netflow')
    assert.equal(seen(Buffer.alloc(100)), undefined)
    assert.equal(seen(Buffer.from('000a0014000000000000000000000000000000000', 'hex').subarray(0, 20)), 'ipfix')
  })
})
