/** Decodes captures for attribution tests: every export in them, in one batch. */
import type { Datagram, Decoder } from '../../src/decode/decoder.ts'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { TRANSPORT, Transport } from '../../src/wire/transport.ts'

/** Rows of the exports that a capture holds; UDP port 2055, 4739, 6343 and 4789 (mirrored frames), and GRE. */
export async function decodeCapture(file: string): Promise<FlowBatch> {
  const batch = new FlowBatch(16_448)
  const gre = new MirrorDecoder('gre')
  const vxlan = new MirrorDecoder('vxlan')
  const byPort: Readonly<Record<number, Decoder>> = {
    2055: new Netflow5Decoder(NO_SINK),
    4739: new IpfixDecoder(NO_SINK),
    6343: new Sflow5Decoder(NO_SINK),
    4789: vxlan,
  }
  const transport = new Transport()
  const ids = new Map<string, number>()
  for await (const packet of readCapture(fileBytes(file))) {
    const kind = transport.find(packet)
    const decoder =
      kind === TRANSPORT.gre ? gre : kind === TRANSPORT.udp ? byPort[transport.destinationPort] : undefined
    if (decoder === undefined) continue
    const source = String(transport.source)
    if (!ids.has(source)) ids.set(source, ids.size)
    const datagram: Datagram = {
      bytes: transport.bytes,
      view: transport.view,
      start: transport.start,
      end: transport.end,
      receivedMs: packet.timeMs,
      exporter: transport.source,
      exporterPort: transport.sourcePort,
      exporterId: ids.get(source)!,
    }
    decoder.decode(datagram, batch)
  }
  gre.flush(batch)
  vxlan.flush(batch)
  return batch
}
