import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readFileSync } from 'node:fs'
import { Replay } from '../../src/pipeline/replay.ts'
import type { Input } from '../../src/pipeline/demultiplex.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { PCAPS } from '../paths.ts'
import { collectBlocks, testPipeline } from './parts.ts'

const NETFLOW = new Map<number, Input>([[2055, 'netflow']])
const FILE = `${PCAPS}netflow5/capture.pcap`

async function replayed(bytes: () => AsyncIterable<Uint8Array>, inputs = NETFLOW) {
  const blocks = collectBlocks()
  const pipeline = testPipeline({ emit: (block) => blocks.take(block, replay.token(block.rows)) })
  const replay = new Replay(pipeline, inputs)
  let error: unknown
  try {
    await replay.run(readCapture(bytes()))
  } catch (thrown) {
    error = thrown
  }
  return { replay, pipeline, blocks, error }
}

async function* chunks(bytes: Uint8Array) {
  yield await Promise.resolve(bytes)
}

describe('replay', () => {
  it('feeds the exports of a capture at their own times', async () => {
    const { replay, pipeline, blocks } = await replayed(() => fileBytes(FILE))
    assert.ok(replay.counts.datagrams.netflow > 0)
    assert.equal(
      replay.counts.datagrams.netflow + replay.counts.strangePorts + replay.counts.otherPackets,
      replay.counts.packets,
    )
    assert.ok(replay.counts.lastMs > replay.counts.firstMs)
    assert.equal(
      blocks.rows,
      pipeline.counters.rows.reduce((a, b) => a + b),
    )
    assert.equal(blocks.rows, 41)
  })

  it('gives the same tokens for the same capture, and others for another', async () => {
    const tokens = async (bytes: () => AsyncIterable<Uint8Array>) => (await replayed(bytes)).blocks.tokens
    const whole = readFileSync(FILE)
    const first = await tokens(() => fileBytes(FILE))
    assert.deepEqual(await tokens(() => chunks(whole)), first)
    const changed = Buffer.from(whole)
    changed[whole.length - 20]! ^= 1
    assert.notDeepEqual(await tokens(() => chunks(changed)), first)
  })

  it('keeps what was sound before a cut, and says where the cut is', async () => {
    const whole = readFileSync(FILE)
    const { blocks, error } = await replayed(() => chunks(whole.subarray(0, whole.length - 10)))
    assert.equal((error as { code?: string }).code, 'capture_cut')
    assert.ok(blocks.rows > 0 && blocks.rows < 41)
  })

  it('hints at ports that carry an export when nobody asked for them', async () => {
    const { replay, blocks } = await replayed(() => fileBytes(FILE), new Map())
    assert.equal(blocks.rows, 0)
    assert.equal(replay.hints.get(2055)?.input, 'netflow')
    assert.equal(replay.counts.strangePorts, replay.hints.get(2055)?.datagrams)
  })
})
