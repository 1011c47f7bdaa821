/** Which decoder a datagram goes to. A listener says what to expect; NetFlow and IPFIX ports take each other's versions too. */
import type { Decoder, Protocol } from '../decode/decoder.ts'

/** What a listener receives: `netflow` is NetFlow v5, v9 and IPFIX. */
export const INPUTS = ['netflow', 'ipfix', 'sflow', 'vxlan', 'gre'] as const
export type Input = (typeof INPUTS)[number]

/** One decoder for each protocol; `netflow9` and `ipfix` may be the same object. */
export type Decoders = Readonly<Record<Protocol, Decoder>>

/** What a datagram of an unknown version is counted as, by input. */
const EXPECTED: Readonly<Record<Input, Protocol>> = {
  netflow: 'netflow5',
  ipfix: 'ipfix',
  sflow: 'sflow5',
  vxlan: 'vxlan',
  gre: 'gre',
}

/**
 * Protocol of the payload `view[start .. end)` that came to `input`. A version that is none of the three goes to the decoder that
 * the input names, which refuses it (`bad_version`, `short_header`).
 */
export function demultiplex(input: Input, view: DataView, start: number, end: number): Protocol {
  if ((input === 'netflow' || input === 'ipfix') && end - start >= 2) {
    const version = view.getUint16(start)
    if (version === 5) return 'netflow5'
    if (version === 9) return 'netflow9'
    if (version === 10) return 'ipfix'
  }
  return EXPECTED[input]
}

/** What a payload looks like by its first bytes, for a hint about ports nobody listens on; undefined when like nothing known. */
export function resembles(view: DataView, start: number, end: number): Input | undefined {
  const length = end - start
  if (length < 20) return undefined
  const version = view.getUint16(start)
  const word = view.getUint16(start + 2)
  if (version === 5 && word >= 1 && word <= 30 && length === 24 + 48 * word) return 'netflow'
  if (version === 9 && word >= 1 && word <= 512) return 'netflow'
  if (version === 10 && word === length) return 'ipfix'
  if (version === 0 && word === 5 && length >= 28) {
    const addressType = view.getUint32(start + 4)
    if (addressType === 1 || addressType === 2) return 'sflow'
  }
  return undefined
}
