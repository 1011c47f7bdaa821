/**
 * Flow records: data format u32 (enterprise 20 bits, format 12), length u32, that many bytes, padded to four.
 *
 * Those of the standard (enterprise 0) that fill columns are in FLOW_RECORDS; everything else is passed over by its length: router
 * (1002), gateway (1003) and user (1004) records say nothing a column holds, so counts inside them are never read.
 */
import { STATUS, type DecodeStatus } from '../status.ts'

interface RecordFacts {
  format: number
  /** The part of fixed length; a shorter record is a fault. */
  bytes: number
  doc: string
}

/** sFlow v5 §5.3, sflow_mpls (1006), sFlow tunnel structures (1021–1030). The order is that of slots. */
export const FLOW_RECORDS = {
  header: { format: 1, bytes: 16, doc: 'sampled_header: protocol | frame_length | stripped | header<>' },
  ethernet: { format: 2, bytes: 24, doc: 'sampled_ethernet: length | src_mac 8 | dst_mac 8 | type' },
  ipv4: { format: 3, bytes: 32, doc: 'sampled_ipv4: length | protocol | src | dst | ports | tcp_flags | tos' },
  ipv6: {
    format: 4,
    bytes: 56,
    doc: 'sampled_ipv6: length | protocol | src 16 | dst 16 | ports | tcp_flags | priority',
  },
  switch: { format: 1001, bytes: 16, doc: 'extended_switch: src_vlan | src_priority | dst_vlan | dst_priority' },
  mpls: { format: 1006, bytes: 8, doc: 'extended_mpls: nexthop | in_stack<> | out_stack<>' },
  tunnel4Out: { format: 1023, bytes: 32, doc: 'extended_ipv4_tunnel_egress: as sampled_ipv4' },
  tunnel4In: { format: 1024, bytes: 32, doc: 'extended_ipv4_tunnel_ingress: as sampled_ipv4' },
  tunnel6Out: { format: 1025, bytes: 56, doc: 'extended_ipv6_tunnel_egress: as sampled_ipv6' },
  tunnel6In: { format: 1026, bytes: 56, doc: 'extended_ipv6_tunnel_ingress: as sampled_ipv6' },
  vniOut: { format: 1029, bytes: 4, doc: 'extended_vni_egress: vni' },
  vniIn: { format: 1030, bytes: 4, doc: 'extended_vni_ingress: vni' },
} as const satisfies Record<string, RecordFacts>

type RecordName = keyof typeof FLOW_RECORDS
const NAMES = Object.keys(FLOW_RECORDS) as RecordName[]

/** Where a record of this name stands in `FlowRecords.at`. */
export const SLOT = Object.fromEntries(NAMES.map((name, slot) => [name, slot])) as Readonly<Record<RecordName, number>>
/** Its bit in `FlowRecords.seen`. */
export const BIT = Object.fromEntries(NAMES.map((name, slot) => [name, 1 << slot])) as Readonly<
  Record<RecordName, number>
>

const MAX_FORMAT = Math.max(...NAMES.map((name) => FLOW_RECORDS[name].format))
const UNKNOWN = 255
const SLOT_OF = new Uint8Array(MAX_FORMAT + 1).fill(UNKNOWN)
for (const name of NAMES) SLOT_OF[FLOW_RECORDS[name].format] = SLOT[name]
const MIN_BYTES = Uint8Array.from(NAMES, (name) => FLOW_RECORDS[name].bytes)

const RECORD_HEADER = 8
const OK = STATUS.ok
const BAD_COUNT = STATUS.bad_count
const BAD_LENGTH = STATUS.bad_length

/** Where the records of one flow sample lie; one object for all samples. Of a record that comes twice the first counts. */
export class FlowRecords {
  /** Which records there are: OR of BIT. */
  seen = 0
  /** First byte of a record's content and the byte after it, by slot; stale where `seen` lacks the bit. */
  readonly at = new Int32Array(NAMES.length)
  readonly end = new Int32Array(NAMES.length)

  /**
   * Walks `count` records in `view[at .. end)`. `bad_count` when there are fewer, `bad_length` when one reaches outside or is too
   * short for what it is. Each step takes at least eight bytes, so a count from the wire costs nothing.
   */
  find(view: DataView, at: number, end: number, count: number): DecodeStatus {
    let seen = 0
    for (; count > 0; count--) {
      if (end - at < RECORD_HEADER) return BAD_COUNT
      const format = view.getUint32(at)
      const length = view.getUint32(at + 4)
      at += RECORD_HEADER
      if (length > end - at) return BAD_LENGTH
      const slot = format <= MAX_FORMAT ? SLOT_OF[format]! : UNKNOWN
      if (slot !== UNKNOWN) {
        if (length < MIN_BYTES[slot]!) return BAD_LENGTH
        if ((seen & (1 << slot)) === 0) {
          seen |= 1 << slot
          this.at[slot] = at
          this.end[slot] = at + length
        }
      }
      at += (length + 3) & ~3
    }
    this.seen = seen
    return OK
  }
}
