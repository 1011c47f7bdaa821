/**
 * pcapng (draft-ietf-opsawg-pcapng). A stream of blocks, in sections that each have their own byte order and interfaces.
 *
 *   block               type u32 | total length u32, a multiple of 4 | body | total length again
 *   section header      0x0a0d0d0a | … | byte-order magic 0x1a2b3c4d | major u16 = 1 | minor u16 | section length i64 | options
 *   interface           1 | … | link type u16 | – u16 | snaplen u32 | options: code u16, length u16, value padded to 4
 *   packet (obsolete)   2 | … | interface u16 | drops u16 | time high u32, low u32 | captured u32 | original u32 | packet
 *   simple packet       3 | … | original u32 | packet, cut to the snaplen of interface 0
 *   enhanced packet     6 | … | interface u32 | time high u32, low u32 | captured u32 | original u32 | packet
 *
 * All other blocks are passed over by their length.
 */
import type { AppError } from '../errors.ts'
import { captureCut, MAX_PACKET_BYTES, newPacket, type CapturedPacket } from './captured-packet.ts'
import type { ByteSource } from './source.ts'

const SECTION = 0x0a0d0d0a
const INTERFACE = 1
const PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6
const BYTE_ORDER_MAGIC = 0x1a2b3c4d

const MAX_INTERFACES = 4096
/** Of an interface block, what may hold its options; the rest is passed over. */
const MAX_INTERFACE_BLOCK = 64 * 1024

interface CaptureInterface {
  linkType: number
  snapLength: number
  /** Time units in a millisecond, of if_tsresol. */
  unitsPerMs: number
  /** if_tsoffset, in milliseconds. */
  offsetMs: number
}

/** Packets of the pcapng stream that starts at `source`. */
export async function* readPcapng(source: ByteSource): AsyncGenerator<CapturedPacket, void, void> {
  const { view } = source
  const section = new Section(newPacket(source))
  const { packet } = section
  const need = async (length: number) => {
    if (source.available >= length || (await source.fill(length))) return
    throw captureCut(packet.number, source.offset + source.available, 'ends inside a block')
  }

  while (source.available > 0 || (await source.fill(1))) {
    await need(8)
    const type = view.getUint32(source.start, section.little)
    if (type === SECTION) {
      await need(16)
      section.begin(source)
    }
    const length = view.getUint32(source.start + 4, section.little)
    const header = HEADER[type] ?? 8
    if (length % 4 !== 0 || length < header + 4) throw section.damaged(source, `a block of ${length} bytes`)
    if (type === INTERFACE) {
      await need(Math.min(length, MAX_INTERFACE_BLOCK))
      section.addInterface(source, length)
    } else if (type === PACKET || type === SIMPLE_PACKET || type === ENHANCED_PACKET) {
      await need(header)
      const captured = section.describePacket(source, type, length)
      await need(header + captured)
      packet.number++
      packet.start = source.start + header
      packet.end = packet.start + captured
      yield packet
    }
    if (!(await source.skip(length - 4))) throw captureCut(packet.number, source.offset, 'ends inside a block')
    await need(4)
    if (view.getUint32(source.start, section.little) !== length) {
      throw section.damaged(source, 'a block whose two lengths differ')
    }
    source.advance(4)
  }
}

/** What the blocks of a section have in common. */
class Section {
  readonly packet: CapturedPacket
  little = false
  private readonly interfaces: CaptureInterface[] = []

  constructor(packet: CapturedPacket) {
    this.packet = packet
  }

  begin(source: ByteSource): void {
    const { start, view } = source
    this.little = view.getUint32(start + 8, true) === BYTE_ORDER_MAGIC
    if (!this.little && view.getUint32(start + 8) !== BYTE_ORDER_MAGIC) {
      throw this.damaged(source, 'a section without byte order')
    }
    const major = view.getUint16(start + 12, this.little)
    if (major !== 1) throw this.damaged(source, `pcapng version ${major}, which is not known`)
    this.interfaces.length = 0
  }

  addInterface(source: ByteSource, length: number): void {
    if (this.interfaces.length === MAX_INTERFACES) throw this.damaged(source, `more than ${MAX_INTERFACES} interfaces`)
    const end = source.start + Math.min(length, MAX_INTERFACE_BLOCK) - 4
    this.interfaces.push(readInterface(source.view, source.start, end, this.little))
  }

  /** Sets all but the place of the packet from the header of its block; returns how many bytes of it were captured. */
  describePacket(source: ByteSource, type: number, length: number): number {
    const { view } = source
    const { little, packet } = this
    const at = source.start + 8
    const index = type === SIMPLE_PACKET ? 0 : type === PACKET ? view.getUint16(at, little) : view.getUint32(at, little)
    const from = this.interfaces[index]
    if (from === undefined) throw this.damaged(source, `a packet of interface ${index}, which is not described`)
    const room = length - HEADER[type]! - 4
    let captured: number
    let original: number
    if (type === SIMPLE_PACKET) {
      original = view.getUint32(at, little)
      captured = Math.min(original, from.snapLength, room)
    } else {
      const units = view.getUint32(at + 4, little) * 0x1_0000_0000 + view.getUint32(at + 8, little)
      packet.timeMs = units / from.unitsPerMs + from.offsetMs
      captured = view.getUint32(at + 12, little)
      original = view.getUint32(at + 16, little)
    }
    if (captured > MAX_PACKET_BYTES || captured > room) {
      throw this.damaged(source, `a packet of ${captured} bytes in a block of ${length}`)
    }
    packet.linkType = from.linkType
    packet.originalLength = Math.max(original, captured)
    return captured
  }

  damaged(source: ByteSource, why: string): AppError {
    return captureCut(this.packet.number, source.offset, `is damaged (${why})`)
  }
}

/** Bytes before the options or the packet, for the blocks that are read. */
const HEADER: Readonly<Record<number, number>> = {
  [SECTION]: 24,
  [INTERFACE]: 16,
  [PACKET]: 28,
  [SIMPLE_PACKET]: 12,
  [ENHANCED_PACKET]: 28,
}

const END_OF_OPTIONS = 0
const IF_TSRESOL = 9
const IF_TSOFFSET = 14

/** The interface block at `at`; its options lie before `end`. Damaged options are ignored from the damage on. */
function readInterface(view: DataView, at: number, end: number, little: boolean): CaptureInterface {
  const snapLength = view.getUint32(at + 12, little)
  const found: CaptureInterface = {
    linkType: view.getUint16(at + 8, little),
    snapLength: snapLength === 0 ? MAX_PACKET_BYTES : snapLength,
    unitsPerMs: 1e3,
    offsetMs: 0,
  }
  for (let option = at + 16; end - option >= 4;) {
    const code = view.getUint16(option, little)
    const length = view.getUint16(option + 2, little)
    const value = option + 4
    if (code === END_OF_OPTIONS || length > end - value) break
    if (code === IF_TSRESOL && length === 1) {
      const resolution = view.getUint8(value)
      found.unitsPerMs = (resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution) / 1e3
    } else if (code === IF_TSOFFSET && length === 8) {
      found.offsetMs = Number(view.getBigInt64(value, little)) * 1e3
    }
    option = value + ((length + 3) & ~3)
  }
  return found
}
