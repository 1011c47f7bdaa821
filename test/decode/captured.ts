import { createReadStream } from 'node:fs'
import { AppError } from '../../src/errors.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { TRANSPORT, Transport } from '../../src/wire/transport.ts'
import type { Payload } from './ipfix-feed.ts'

/** UDP destination port, or 0 for GRE, whose payload starts at the outer IPv4 header. */
export const GRE_PORT = 0

/** The datagrams of a capture whose destination port is `wanted`, in order; of a cut capture what is whole. */
export async function capturedDatagrams(
  file: string,
  wanted: (destinationPort: number) => boolean,
): Promise<Payload[]> {
  const payloads: Payload[] = []
  const transport = new Transport()
  try {
    for await (const packet of readCapture(createReadStream(file))) {
      const kind = transport.find(packet)
      const port = kind === TRANSPORT.gre ? GRE_PORT : transport.destinationPort
      if ((kind !== TRANSPORT.udp && kind !== TRANSPORT.gre) || !wanted(port)) continue
      payloads.push({
        timeMs: Math.floor(packet.timeMs),
        source: new Uint8Array(transport.source.buffer, transport.source.byteOffset).subarray(12, 16).join('.'),
        port: transport.sourcePort,
        bytes: transport.bytes.slice(transport.start, transport.end),
      })
    }
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'capture_cut')) throw error
  }
  return payloads
}
