/** Batches that hold numbers of answers: what is written of them is what is written of columns, to the byte. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { EMPTY_SNAPSHOT, buildSnapshot } from '../../src/identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { ANSWER_COLUMNS } from '../../src/schema/answers.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { PCAPS } from '../paths.ts'
import { decodeCapture } from './decoded.ts'
import { Lab, NETFLOW } from './lab.ts'
import { batchOf, seen } from './rows.ts'

const CAPTURES = ['ipfix', 'netflow5', 'sflow5', 'gre-mirror'] as const

/** Block and sums of a capture's rows, by `attribute` or by `answer`. */
async function encoded(capture: string, snapshot: IdentitySnapshot, how: 'attribute' | 'answer') {
  const batch = await decodeCapture(`${PCAPS}${capture}/capture.pcap`)
  new Attributor()[how](batch, snapshot)
  assert.equal(batch.answered, how === 'answer')
  if (how === 'answer') for (const name of ANSWER_COLUMNS) assert.ok(batch.columns[name].every((value) => value === 0))
  const block = new NativeEncoder().encode([batch])
  batch.reset(block.columns)
  for (const values of Object.values(batch.columns)) assert.ok(values.every((value) => value === 0))
  return { columns: block.columns, block: Buffer.from(block.bytes), sums: Buffer.from(block.sums.bytes) }
}

describe('a block of answers', () => {
  for (const capture of CAPTURES)
    it(`is the block of the columns, sums too: ${capture}`, async () => {
      const { cloud } = await loadIdentityFile(`${PCAPS}${capture}/identity.yaml`)
      for (const snapshot of [buildSnapshot(cloud, 0), EMPTY_SNAPSHOT]) {
        const wanted = await encoded(capture, snapshot, 'attribute')
        const found = await encoded(capture, snapshot, 'answer')
        assert.deepEqual(found.columns, wanted.columns)
        assert.ok(found.block.equals(wanted.block))
        assert.ok(found.sums.equals(wanted.sums))
      }
    })

  it('has each row by the model of its time, and numbers begin anew when all are given up', () => {
    const record = { export_protocol: 'netflow5', exporter: '10.0.0.10', in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' } // prettier-ignore
    const before = new Lab({ netflow: NETFLOW })
    const after = new Lab({ netflow: NETFLOW })
    after.portOf('red-1').name = 'renamed'
    const attributor = new Attributor()
    const batch = batchOf(record, record)
    const named = () => [0, 1].map((row) => batch.strings.values[batch.columns.src_port[row]!])
    batch.rows = 1
    attributor.answer(batch, before.snapshot())
    batch.rows = 2
    attributor.answer(batch, after.snapshot(), 1)
    batch.expand()
    assert.equal(seen(batch, 0).src.grade, 'port')
    assert.equal(named()[1], 'renamed')
    assert.notEqual(named()[0], 'renamed')
    batch.answers.clear()
    attributor.attribute(batch, after.snapshot())
    assert.deepEqual(named(), ['renamed', 'renamed'])
    assert.equal(batch.answers.count, 2)
  })

  it('is refused where its batches are of two tables', () => {
    const batches = [new FlowBatch(8), new FlowBatch(8)]
    for (const batch of batches) new Attributor().answer(batch, EMPTY_SNAPSHOT)
    assert.throws(() => new NativeEncoder().encode(batches), /StringTable|one table/)
  })
})
