/** sFlow datagrams put together field by field, for what no capture holds. All of XDR here is u32 words and padded bytes. */

/** A u32, or bytes that are padded to four. */
export type Part = number | Uint8Array

export function xdr(...parts: readonly Part[]): Uint8Array {
  const chunks = parts.map((part) => {
    if (typeof part !== 'number') return Buffer.concat([part, Buffer.alloc(-part.length & 3)])
    const word = Buffer.alloc(4)
    word.writeUInt32BE(part)
    return word
  })
  return Buffer.concat(chunks)
}

/** Data format, length, content: a sample or a record. `length` may lie. */
export function tagged(format: number, content: Uint8Array, length = content.length): Uint8Array {
  return xdr(format, length, content)
}

export interface Flow {
  rate?: number
  source?: number
  sequence?: number
  input?: number
  output?: number
  /** Count of records, when it is to lie. */
  count?: number
}

/** A compact flow sample with its tag. */
export function flowSample(records: readonly Uint8Array[], flow: Flow = {}): Uint8Array {
  const { rate = 1, source = 0x020003e8, sequence = 1, input = 0, output = 0, count = records.length } = flow
  return tagged(1, xdr(sequence, source, rate, rate, 0, input, output, count, ...records))
}

/** A whole datagram of agent 192.0.2.7, sub-agent 3, sequence 9. */
export function sflowDatagram(samples: readonly Uint8Array[], count = samples.length): Uint8Array {
  return xdr(5, 1, Uint8Array.of(192, 0, 2, 7), 3, 9, 1000, count, ...samples)
}

/** sampled_header; protocol 1 is Ethernet. */
export function sampledHeader(bytes: Uint8Array, frameLength: number, stripped = 4, protocol = 1): Uint8Array {
  return tagged(1, xdr(protocol, frameLength, stripped, bytes.length, bytes))
}

/** A UDP packet over IPv4 over Ethernet, `octets` long without FCS, of which the first 42 are given. */
export function ethernetFrame(octets: number, tag: number[] = []): Uint8Array {
  const length = octets - 14 - tag.length
  return Uint8Array.of(
    ...[0xfa, 0x16, 0x3e, 0, 0, 2, 0xfa, 0x16, 0x3e, 0, 0, 1, ...tag, 8, 0],
    ...[0x45, 0, length >> 8, length & 0xff, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    ...[0x30, 0x39, 0, 53, 0, 0, 0, 0],
  )
}
