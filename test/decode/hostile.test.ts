import { readdirSync } from 'node:fs'
import { describe } from 'node:test'
import { NO_SINK, type Decoder } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { capturedDatagrams } from './captured.ts'
import type { Payload } from './ipfix-feed.ts'
import { hostileSuite, type Subject } from './suite.ts'

const word = ({ bytes }: Payload, at: number) => (bytes[at]! << 8) | bytes[at + 1]!

interface Entry extends Omit<Subject, 'datagrams'> {
  name: string
  owns: (payload: Payload) => boolean
  /** Makes its datagrams of those it owns. */
  datagrams?: (owned: Payload[]) => Payload[]
}

/** THE decoders, and which datagrams of pcaps/ are theirs. */
const REGISTRY: readonly Entry[] = [
  { name: 'netflow5', decoder: () => new Netflow5Decoder(NO_SINK), owns: (payload) => word(payload, 0) === 5 },
  {
    name: 'ipfix',
    decoder: () => new IpfixDecoder(NO_SINK, { limits: { compileAfterRecords: Infinity } }),
    owns: (payload) => word(payload, 0) === 10 || word(payload, 0) === 9,
    values: 0,
    stride: 9,
  },
  {
    name: 'ipfix, compiled at once',
    decoder: () => new IpfixDecoder(NO_SINK, { limits: { compileAfterRecords: 0 } }),
    owns: (payload) => word(payload, 0) === 10 || word(payload, 0) === 9,
    values: 0,
    // A damaged template is a new layout, and here a new program: the captures have each template several times, so that
    // another of its bytes is damaged each time.
    stride: 13,
    wordStride: 23,
  },
  {
    name: 'sflow5',
    decoder: () => new Sflow5Decoder(NO_SINK),
    owns: (payload) => word(payload, 0) === 0 && word(payload, 2) === 5,
  },
  {
    name: 'gre',
    decoder: () => new MirrorDecoder('gre'),
    owns: ({ bytes }) => bytes[0]! >> 4 === 4 && bytes[9] === 47,
    flush: flushMirror,
    stride: 5,
  },
  {
    // No capture has a VXLAN mirror; these are the frames of the GRE mirror behind another header.
    name: 'vxlan',
    decoder: () => new MirrorDecoder('vxlan'),
    owns: ({ bytes }) => bytes[0]! >> 4 === 4 && bytes[9] === 47,
    datagrams: (mirrored) => mirrored.map((payload) => ({ ...payload, bytes: inVxlan(payload.bytes) })),
    flush: flushMirror,
    stride: 9,
  },
]

/** What follows an IPv4 header of 20 and a GRE header of 4 bytes, behind a VXLAN header with VNI 1010. */
function inVxlan(gre: Uint8Array): Uint8Array {
  return Uint8Array.of(8, 0, 0, 0, 0, 3, 0xf2, 0, ...gre.subarray(24))
}

function flushMirror(decoder: Decoder, out: FlowBatch): number {
  return (decoder as MirrorDecoder).flush(out)
}

const captures = readdirSync(PCAPS, { recursive: true, encoding: 'utf8' }).filter((file) => /\.pcap(ng)?$/.test(file))
const all = await Promise.all(captures.sort().map((file) => capturedDatagrams(PCAPS + file, () => true)))
const payloads = all.flat().filter(({ bytes }) => bytes.length >= 4)

describe('hostile input', () => {
  for (const { name, owns, datagrams, ...subject } of REGISTRY) {
    const owned = payloads.filter(owns)
    describe(name, () => hostileSuite({ ...subject, datagrams: datagrams?.(owned) ?? owned }))
  }
})
