import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { pcap, PCAP_MAGICS, readAll, type Packet } from './captures.ts'

const T = Date.UTC(2026, 10, 22, 7, 49, 8) + 123.456
const PACKETS: Packet[] = [
  { timeMs: T, bytes: Uint8Array.from({ length: 61 }, (_, i) => i), linkType: 1, originalLength: 61 },
  { timeMs: T + 0.001, bytes: new Uint8Array(0), linkType: 1, originalLength: 0 },
  { timeMs: T + 1500, bytes: Uint8Array.of(1, 2, 3), linkType: 1, originalLength: 1514 },
]

function equal(actual: readonly Packet[], expected: readonly Packet[]): void {
  assert.equal(actual.length, expected.length)
  for (const [i, packet] of actual.entries()) {
    assert.ok(Math.abs(packet.timeMs - expected[i]!.timeMs) < 0.001, `time of packet ${i + 1}: ${packet.timeMs}`)
    assert.deepEqual({ ...packet, timeMs: 0 }, { ...expected[i]!, timeMs: 0 })
  }
}

describe('pcap', () => {
  for (const [name, magic] of Object.entries(PCAP_MAGICS)) {
    for (const little of [true, false]) {
      it(`${name} magic, ${little ? 'little' : 'big'}-endian, in pieces of any size`, async () => {
        const capture = pcap(PACKETS, { magic, little })
        for (const piece of [1, 7, 24, 1 << 20]) {
          const { packets, fault } = await readAll(capture, piece)
          assert.equal(fault, undefined)
          equal(packets, PACKETS)
        }
      })
    }
  }

  it('reads the lengths that version 2.2 wrote the other way round', async () => {
    const { packets } = await readAll(pcap(PACKETS, { magic: PCAP_MAGICS.micro, little: true, minor: 2 }))
    equal(packets, PACKETS)
  })

  it('takes the link type from the lower half, since the upper one tells the length of an FCS', async () => {
    const { packets } = await readAll(
      pcap(PACKETS.slice(0, 1), { magic: PCAP_MAGICS.micro, little: false, linkType: 0x2400_0071 }),
    )
    assert.equal(packets[0]!.linkType, 113)
  })

  it('cut at every byte, it delivers every whole packet and says where it ends', async () => {
    const capture = pcap(PACKETS, { magic: PCAP_MAGICS.nano, little: true })
    const ends = [24, 24 + 16 + 61, 24 + 16 + 61 + 16, capture.length]
    for (let length = 0; length < capture.length; length++) {
      const { packets, fault } = await readAll(capture.subarray(0, length))
      const whole = ends.filter((end) => end <= length).length - 1
      equal(packets, PACKETS.slice(0, Math.max(0, whole)))
      if (ends.includes(length)) assert.equal(fault, undefined)
      else if (length < 4) assert.equal(fault?.code, 'file_unreadable')
      else {
        assert.equal(fault?.code, 'capture_cut')
        assert.match(fault.message, new RegExp(`at byte ${length}, after packet ${packets.length}$`))
      }
    }
  })

  it('stops at a length that no packet has, and keeps what came before', async () => {
    const capture = pcap(PACKETS, { magic: PCAP_MAGICS.micro, little: true })
    const at = 24 + 16 + 61 + 8
    new DataView(capture.buffer, capture.byteOffset).setUint32(at, 256 * 1024 + 1, true)
    const { packets, fault } = await readAll(capture)
    assert.equal(packets.length, 1)
    assert.equal(fault?.code, 'capture_cut')
    assert.match(fault.message, /damaged \(a packet of 262145 bytes\) at byte 101, after packet 1/)
  })

  it('reads packets up to the bound, one after another through its arena', async () => {
    const large = Array.from({ length: 9 }, (_, i) => {
      const bytes = new Uint8Array(256 * 1024 - i).fill(i + 1)
      return { timeMs: T + i, bytes, linkType: 1, originalLength: bytes.length }
    })
    const { packets, fault } = await readAll(pcap(large, { magic: PCAP_MAGICS.micro, little: true }), 1 << 22)
    assert.equal(fault, undefined)
    equal(packets, large)
  })

  it('refuses what is no capture, and says so', async () => {
    const cases: [Uint8Array, RegExp][] = [
      [new Uint8Array(0), /it is empty/],
      [Buffer.from('hello world'), /neither pcap nor pcapng/],
      [gzipSync(pcap(PACKETS, { magic: PCAP_MAGICS.micro, little: true })), /compressed/],
    ]
    for (const [bytes, message] of cases) {
      const { packets, fault } = await readAll(bytes)
      assert.equal(packets.length, 0)
      assert.equal(fault?.code, 'file_unreadable')
      assert.match(fault.message, message)
    }
    const old = pcap(PACKETS, { magic: PCAP_MAGICS.micro, little: true })
    old[4] = 3
    const { fault } = await readAll(old)
    assert.equal(fault?.code, 'file_unreadable')
    assert.match(fault.message, /pcap version 3\.4/)
  })
})
