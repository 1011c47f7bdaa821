/** Which decoder a datagram goes to. A listener says what to expect; NetFlow and IPFIX ports take each other's versions too. */
import { type Decoder, PROTOCOLS, type Protocol } from '../decode/decoder.ts'

/** What a listener receives: `netflow` is NetFlow v5, v9 and IPFIX. */
export const INPUTS = ['netflow', 'ipfix', 'sflow', 'vxlan', 'gre'] as const
export type Input = (typeof INPUTS)[number]

/** One decoder for each protocol; `netflow9` and `ipfix` may be the same object. */
export type Decoders = Readonly<Record<Protocol, Decoder>>

/** Index into PROTOCOLS by name: `PROTOCOL.ipfix`. */
export const PROTOCOL = Object.fromEntries(PROTOCOLS.map((name, code) => [name, code])) as Readonly<
  Record<Protocol, number>
>

const { ipfix: IPFIX, sflow5: SFLOW5 } = PROTOCOL

/** The same where it is asked for with every datagram: a look-up by name costs more than what is done with it. */
export function codeOf(protocol: Protocol): number {
  return protocol === 'ipfix' ? IPFIX : protocol === 'sflow5' ? SFLOW5 : PROTOCOL[protocol]
}

/** What a datagram of an unknown version is counted as, by input. */
const EXPECTED: Readonly<Record<Input, number>> = {
  netflow: PROTOCOL.netflow5,
  ipfix: PROTOCOL.ipfix,
  sflow: PROTOCOL.sflow5,
  vxlan: PROTOCOL.vxlan,
  gre: PROTOCOL.gre,
}

/**
 * Index into PROTOCOLS of the payload `view[start .. end)` that came to `input`. A version that is none of the three goes to the decoder that
 * the input names, which refuses it (`bad_version`, `short_header`).
 */
export function demultiplex(input: Input, view: DataView, start: number, end: number): number {
  if ((input === 'netflow' || input === 'ipfix') && end - start >= 2) {
    const version = view.getUint16(start)
    if (version === 5) return PROTOCOL.netflow5
    if (version === 9) return PROTOCOL.netflow9
    if (version === 10) return PROTOCOL.ipfix
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
