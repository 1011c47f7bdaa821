/**
 * pcap (draft-ietf-opsawg-pcap), as libpcap reads it.
 *
 *   header  24 bytes   magic u32 | major u16 = 2 | minor u16 | zone i32 | accuracy u32 | snaplen u32 | link type u16 of u32
 *   record  16 bytes   seconds u32 | fraction u32 | captured length u32 | original length u32 | packet
 *
 * The magic gives the byte order of all fields, the unit of the fraction, and how long a record header is.
 */
import { AppError } from '../errors.ts'
import { captureCut, MAX_PACKET_BYTES, newPacket, type CapturedPacket } from './captured-packet.ts'
import type { ByteSource } from './source.ts'

const FILE_HEADER = 24

/** Magics as read in the byte order of the file. */
const FORMATS: Readonly<Record<number, { unitsPerMs: number; recordHeader: number }>> = {
  0xa1b2c3d4: { unitsPerMs: 1e3, recordHeader: 16 },
  0xa1b23c4d: { unitsPerMs: 1e6, recordHeader: 16 },
  // Kuznetsov's patched libpcap: interface index u32, protocol u16, packet type u8 and padding follow the lengths.
  0xa1b2cd34: { unitsPerMs: 1e3, recordHeader: 24 },
  // Mesquita's variant, which differs in the magic only.
  0xa1b234cd: { unitsPerMs: 1e3, recordHeader: 16 },
}

/** Packets of the pcap stream whose first four bytes `source` holds; undefined when they are no magic. */
export function readPcap(source: ByteSource): AsyncGenerator<CapturedPacket, void, void> | undefined {
  const little = FORMATS[source.view.getUint32(source.start, true)] !== undefined
  const format = FORMATS[source.view.getUint32(source.start, little)]
  return format && records(source, little, format.unitsPerMs, format.recordHeader)
}

async function* records(
  source: ByteSource,
  little: boolean,
  unitsPerMs: number,
  recordHeader: number,
): AsyncGenerator<CapturedPacket, void, void> {
  const packet = newPacket(source)
  const { view } = source
  if (!(await source.fill(FILE_HEADER))) throw captureCut(0, source.offset + source.available, 'ends')
  const major = view.getUint16(source.start + 4, little)
  const minor = view.getUint16(source.start + 6, little)
  if (major !== 2) throw new AppError('file_unreadable', `not a packet capture: pcap version ${major}.${minor}, not 2`)
  // The upper half holds the length of an FCS at the end of each packet, which lies behind the IP packet and does no harm.
  packet.linkType = view.getUint32(source.start + 20, little) & 0xffff
  source.advance(FILE_HEADER)

  while (source.available > 0 || (await source.fill(1))) {
    if (source.available < recordHeader && !(await source.fill(recordHeader))) break
    const at = source.start
    packet.timeMs = view.getUint32(at, little) * 1000 + view.getUint32(at + 4, little) / unitsPerMs
    let captured = view.getUint32(at + 8, little)
    let original = view.getUint32(at + 12, little)
    // Before 2.4 some systems wrote the two lengths the other way round.
    if (minor <= 3 && captured > original) [captured, original] = [original, captured]
    if (captured > MAX_PACKET_BYTES) {
      throw captureCut(packet.number, source.offset, `is damaged (a packet of ${captured} bytes)`)
    }
    const length = recordHeader + captured
    if (source.available < length && !(await source.fill(length))) break
    packet.number++
    packet.start = source.start + recordHeader
    packet.end = source.start + length
    packet.originalLength = Math.max(original, captured)
    yield packet
    source.advance(length)
  }
  if (source.available > 0) throw captureCut(packet.number, source.offset + source.available, 'ends inside a packet')
}
