import { AppError } from '../errors.ts'
import type { CapturedPacket } from './captured-packet.ts'
import { readPcap } from './pcap.ts'
import { readPcapng } from './pcapng.ts'
import { ByteSource } from './source.ts'

/**
 * Packets of a pcap or pcapng stream, in both byte orders; the first bytes tell which.
 *
 * Throws `file_unreadable` when it is no capture, and `capture_cut` when it ends inside a packet or its structure is damaged;
 * all packets before that point have been delivered then.
 */
export async function* readCapture(stream: AsyncIterable<Uint8Array>): AsyncGenerator<CapturedPacket, void, void> {
  const source = new ByteSource(stream)
  try {
    if (!(await source.fill(4))) throw noCapture(source)
    const magic = source.view.getUint32(source.start)
    const packets = magic === 0x0a0d0d0a ? readPcapng(source) : readPcap(source)
    if (packets === undefined) throw noCapture(source)
    yield* packets
  } finally {
    await source.close()
  }
}

function noCapture(source: ByteSource): AppError {
  const start = Buffer.from(source.bytes.subarray(source.start, Math.min(source.end, source.start + 4))).toString('hex')
  const compressed = start.startsWith('1f8b') || start === '28b52ffd' || start === 'fd377a58'
  const what =
    start === ''
      ? 'it is empty'
      : compressed
        ? 'it is compressed: unpack it first (zcat FILE | ovsight replay -)'
        : `it starts with ${start}, which is neither pcap nor pcapng`
  return new AppError('file_unreadable', `not a packet capture: ${what}`)
}
