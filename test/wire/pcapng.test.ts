import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  enhancedPacket,
  interfaceBlock,
  obsoletePacket,
  otherBlock,
  readAll,
  section,
  simplePacket,
  type Packet,
} from './captures.ts'

const SECONDS = Date.UTC(2026, 10, 22, 7, 49, 8) / 1000
const bytes = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => first + i)
const packet = (length: number, first: number, originalLength = length): Packet => ({
  timeMs: SECONDS * 1000,
  bytes: bytes(length, first),
  originalLength,
})

/** Two sections of different byte orders, three interfaces with different clocks, all kinds of packets. */
function capture(little: boolean): { blocks: Uint8Array[]; expected: Packet[] } {
  const blocks = [
    section(little),
    interfaceBlock(little, 1, { snapLength: 20 }),
    interfaceBlock(little, 113, { resolution: 9, offset: 100 }),
    enhancedPacket(little, 0, SECONDS * 1e6 + 5, packet(17, 1)),
    otherBlock(little, 40),
    enhancedPacket(little, 1, (SECONDS - 100) * 1e9 + 7_000_000, packet(3, 50, 1500)),
    simplePacket(little, packet(20, 9, 64)),
    obsoletePacket(little, 1, (SECONDS - 100) * 1e9, packet(8, 3)),
    section(!little),
    interfaceBlock(!little, 101, { resolution: 0x80 | 10 }),
    enhancedPacket(!little, 0, SECONDS * 1024 + 512, packet(5, 77)),
    simplePacket(!little, packet(6, 90)),
  ]
  const expected = [
    { ...packet(17, 1), linkType: 1, timeMs: SECONDS * 1000 + 0.005 },
    { ...packet(3, 50, 1500), linkType: 113, timeMs: SECONDS * 1000 + 7 },
    // No time of its own: that of the packet before.
    { ...packet(20, 9, 64), linkType: 1, timeMs: SECONDS * 1000 + 7 },
    { ...packet(8, 3), linkType: 113 },
    { ...packet(5, 77), linkType: 101, timeMs: SECONDS * 1000 + 500 },
    { ...packet(6, 90), linkType: 101, timeMs: SECONDS * 1000 + 500 },
  ]
  return { blocks, expected }
}

function equal(actual: readonly Packet[], expected: readonly Packet[]): void {
  assert.equal(actual.length, expected.length)
  for (const [i, found] of actual.entries()) {
    assert.ok(Math.abs(found.timeMs - expected[i]!.timeMs) < 0.001, `time of packet ${i + 1}: ${found.timeMs}`)
    assert.deepEqual({ ...found, timeMs: 0 }, { ...expected[i]!, timeMs: 0 })
  }
}

/** With one u32 of block `index` replaced. */
function damaged(index: number, at: number, value: number): Uint8Array {
  const { blocks } = capture(true)
  const block = Buffer.from(blocks[index]!)
  block.writeUInt32LE(value, at)
  return Buffer.concat([...blocks.slice(0, index), block, ...blocks.slice(index + 1)])
}

describe('pcapng', () => {
  for (const little of [true, false]) {
    it(`all packet blocks, ${little ? 'little-endian then big-endian' : 'big-endian then little-endian'}`, async () => {
      const { blocks, expected } = capture(little)
      for (const piece of [1, 13, 1 << 20]) {
        const { packets, fault } = await readAll(Buffer.concat(blocks), piece)
        assert.equal(fault, undefined)
        equal(packets, expected)
      }
    })
  }

  it('cut at every byte, it delivers every packet that is there and says where it ends', async () => {
    const { blocks, expected } = capture(true)
    const whole = Buffer.concat(blocks)
    const ends: number[] = []
    for (const block of blocks) ends.push((ends.at(-1) ?? 0) + block.length)
    for (let length = 0; length < whole.length; length++) {
      const { packets, fault } = await readAll(whole.subarray(0, length))
      equal(packets, expected.slice(0, packets.length))
      const whole6 = [3, 5, 6, 7, 10, 11].filter((block) => ends[block]! <= length).length
      assert.ok(packets.length >= whole6 && packets.length <= whole6 + 1)
      if (ends.includes(length)) assert.equal(fault, undefined)
      else if (length < 4) assert.equal(fault?.code, 'file_unreadable')
      else {
        assert.equal(fault?.code, 'capture_cut')
        assert.match(
          fault.message,
          new RegExp(`ends inside a block at byte ${length}, after packet ${packets.length}$`),
        )
      }
    }
  })

  it('stops at damage, names it, and keeps what came before', async () => {
    const cases: [Uint8Array, RegExp, number][] = [
      [damaged(3, 4, 31), /a block of 31 bytes/, 0],
      [damaged(3, 4, 28), /a block of 28 bytes/, 0],
      [damaged(4, 4, 0), /a block of 0 bytes/, 1],
      [damaged(5, 8, 9), /a packet of interface 9/, 1],
      [damaged(5, 20, 400), /a packet of 400 bytes in a block of/, 1],
      [damaged(5, 20, 0xffffffff), /a packet of 4294967295 bytes/, 1],
      [damaged(4, 48, 56), /two lengths differ/, 1],
      [damaged(0, 8, 7), /a section without byte order/, 0],
      [damaged(0, 12, 2), /pcapng version 2/, 0],
    ]
    for (const [changed, message, count] of cases) {
      const { packets, fault } = await readAll(changed)
      assert.equal(fault?.code, 'capture_cut', String(message))
      assert.match(fault.message, message)
      assert.equal(packets.length, count)
    }
  })

  it('any byte damaged, it ends without an exception and with bounded packets', async () => {
    const whole = Buffer.concat(capture(false).blocks)
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0x00, 0xff, whole[at]! ^ 0x01]) {
        const changed = Buffer.from(whole)
        changed[at] = value
        const { packets } = await readAll(changed)
        assert.ok(packets.length <= 6)
        for (const found of packets) assert.ok(found.bytes.length <= whole.length && Number.isFinite(found.timeMs))
      }
    }
  })

  it('bounds the interfaces of a section', async () => {
    const many = [section(true), ...Array.from({ length: 4097 }, () => interfaceBlock(true, 1))]
    const { fault } = await readAll(Buffer.concat(many))
    assert.equal(fault?.code, 'capture_cut')
    assert.match(fault.message, /more than 4096 interfaces/)
  })
})
