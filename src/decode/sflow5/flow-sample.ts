/**
 * Flow samples, all u32:
 *
 *   compact   (0,1)  sequence | source: class 8 bits, index 24 | rate | pool | drops | input | output | count | records
 *   expanded  (0,3)  sequence | source class | source index | rate | pool | drops | input format | input value | output format |
 *                    output value | count | records
 *
 * What the packet was is in the sampled header; without one in the sampled Ethernet, IPv4 and IPv6 records.
 */
import type { FlowBatch } from '../../schema/batch.ts'
import { CORRECTIONS } from '../../schema/enums.ts'
import { layer3Octets, PacketDissector } from '../packet.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { FlowColumns } from './flow-columns.ts'
import { BIT, FlowRecords, SLOT } from './flow-records.ts'
import { directionOf, writeOutput } from './interfaces.ts'
import { TUNNEL_BITS, writeIpv4, writeIpv6, writeTunnel } from './tunnel.ts'

const COMPACT_BYTES = 32
const EXPANDED_BYTES = 44

/** Header protocols (sFlow v5 §5.3) that are dissected. */
const ETHERNET = 1
const IPV4 = 11
const IPV6 = 12
const MPLS = 13

const ETHERNET_HEADER = 14
const FCS = 4
const NO_FCS = CORRECTIONS.no_fcs.bit
// Constants of their own for the hot path, where a look-up by name costs as much as a store into a column.
const HEADER = SLOT.header
const HEADER_BIT = BIT.header
const SWITCH = SLOT.switch
const SWITCH_BIT = BIT.switch
const USUAL = HEADER_BIT | SWITCH_BIT
const OK = STATUS.ok
const TRUNCATED = STATUS.truncated
const BAD_LENGTH = STATUS.bad_length

/** Decodes flow samples into rows of bound columns. One object for all samples. */
export class FlowSampleDecoder {
  /** Of the last sample: its sequence number and its source, class in the upper 8 bits (an expanded index may reach into them). */
  sequence = 0
  source = 0

  readonly columns = new FlowColumns()
  private readonly records = new FlowRecords()
  private bound: FlowBatch | undefined = undefined
  private packet: PacketDissector | undefined = undefined
  /** Octets of the sampled packet. */
  private layer2 = 0
  private layer3 = 0

  /** From here on rows of `batch` are written. */
  bind(batch: FlowBatch): void {
    if (batch === this.bound) return
    this.bound = batch
    this.columns.bind(batch)
    this.packet ??= new PacketDissector(batch.columns)
    this.packet.bind(batch.columns)
  }

  /**
   * The sample `view[at .. end)` into row `row`. `ok`, or `bad_header`/`too_deep` when the row is complete but the packet's own
   * headers are not to be understood; `bad_length`/`bad_count` when the sample is at fault and the row must be taken back.
   */
  decode(view: DataView, at: number, end: number, expanded: boolean, row: number): DecodeStatus {
    const records = at + (expanded ? EXPANDED_BYTES : COMPACT_BYTES)
    if (records > end) return BAD_LENGTH
    const found = this.records.find(view, records, end, view.getUint32(records - 4))
    if (found !== OK) return found
    const rate = expanded ? this.expandedHead(view, at, row) : this.compactHead(view, at, row)
    const { seen } = this.records
    const status = (seen & HEADER_BIT) !== 0 ? this.header(view, row) : this.withoutHeader(view, row)
    if ((seen & SWITCH_BIT) !== 0) this.vlan(view, row)
    if ((seen & ~USUAL) !== 0) this.others(view, row)
    this.counts(rate, row)
    return status
  }

  /** Returns the sampling rate. */
  private compactHead(view: DataView, at: number, row: number): number {
    const { columns } = this
    const source = view.getUint32(at + 4)
    const input = view.getUint32(at + 20)
    const output = view.getUint32(at + 24)
    this.sequence = view.getUint32(at)
    this.source = source
    columns.u32[columns.point + row] = source
    columns.u32[columns.inIf + row] = input >>> 30 === 0 ? input : 0
    writeOutput(columns, row, output >>> 30, output & 0x3fff_ffff)
    columns.u8[columns.direction + row] = directionOf(source >>> 24, source & 0xff_ffff, input, output)
    return view.getUint32(at + 8)
  }

  private expandedHead(view: DataView, at: number, row: number): number {
    const { columns } = this
    const sourceClass = view.getUint32(at + 4)
    const index = view.getUint32(at + 8)
    const input = view.getUint32(at + 28)
    const output = view.getUint32(at + 36)
    this.sequence = view.getUint32(at)
    this.source = ((sourceClass << 24) | index) >>> 0
    columns.u32[columns.point + row] = this.source
    columns.u32[columns.inIf + row] = view.getUint32(at + 24) === 0 ? input : 0
    writeOutput(columns, row, view.getUint32(at + 32), output)
    columns.u8[columns.direction + row] = directionOf(sourceClass, index, input, output)
    return view.getUint32(at + 12)
  }

  /**
   * sampled_header: protocol | frame_length | stripped | header<>. `stripped` octets of frame_length are not in the header: the FCS, and
   * what was taken off before it (a tag, or the Ethernet header where the header protocol is IP). Some Cisco switches count there all
   * that did not fit into the header, so no more is taken from it than that the FCS is included.
   */
  private header(view: DataView, row: number): DecodeStatus {
    const at = this.records.at[HEADER]!
    const protocol = view.getUint32(at)
    const frameLength = view.getUint32(at + 4)
    const stripped = view.getUint32(at + 8)
    const start = at + 16
    const packet = this.packet!
    // A header longer than its record is not there; what is there is used.
    const end = Math.min(start + view.getUint32(at + 12), this.records.end[HEADER]!)
    let status: DecodeStatus
    if (protocol === ETHERNET) status = packet.ethernet(view, start, end, row)
    else if (protocol === IPV4 || protocol === IPV6) status = packet.ip(view, start, end, row)
    else if (protocol === MPLS) status = packet.mpls(view, start, end, row)
    else return this.withoutHeader(view, row)
    this.measure(protocol === ETHERNET ? 0 : ETHERNET_HEADER, frameLength, stripped, row)
    // A header is always cut somewhere: that is what sampling is.
    return status === TRUNCATED ? OK : status
  }

  /** Octets of a packet with a header; `without` octets of its Ethernet header are not in the sampled one. */
  private measure(without: number, frameLength: number, stripped: number, row: number): void {
    const framed = stripped >= without + FCS && frameLength >= FCS
    const octets = framed ? frameLength - FCS : frameLength
    if (framed) this.columns.u8[this.columns.corrections + row] = NO_FCS
    // Below IP and MPLS frame_length says nothing of layer 2 unless as much was stripped.
    this.layer2 = framed || without === 0 ? octets : 0
    this.layer3 = layer3Octets(this.packet!, framed ? Math.max(0, octets - without) : octets)
  }

  /** What the sampled Ethernet, IPv4 and IPv6 records tell, or nothing but the packet itself. */
  private withoutHeader(view: DataView, row: number): DecodeStatus {
    const { columns } = this
    const { seen, at } = this.records
    this.packet!.tags = 0
    this.layer2 = 0
    this.layer3 = 0
    if ((seen & BIT.ethernet) !== 0) this.ethernet(view, at[SLOT.ethernet]!, row)
    if ((seen & BIT.ipv4) !== 0) {
      const record = at[SLOT.ipv4]!
      writeIpv4(columns.u32, columns.srcAddr + row * 4, view, record + 8)
      writeIpv4(columns.u32, columns.dstAddr + row * 4, view, record + 12)
      this.transport(view, record, record + 16, 4, row)
    } else if ((seen & BIT.ipv6) !== 0) {
      const record = at[SLOT.ipv6]!
      writeIpv6(columns.u32, columns.srcAddr + row * 4, view, record + 8)
      writeIpv6(columns.u32, columns.dstAddr + row * 4, view, record + 24)
      this.transport(view, record, record + 40, 6, row)
    }
    return OK
  }

  /** sampled_ethernet: length with FCS | source MAC, padded to 8 | destination MAC, padded to 8 | type. */
  private ethernet(view: DataView, at: number, row: number): void {
    const { columns } = this
    const length = view.getUint32(at)
    columns.u32[columns.srcMac + row * 2] = view.getUint32(at + 6)
    columns.u32[columns.srcMac + row * 2 + 1] = view.getUint16(at + 4)
    columns.u32[columns.dstMac + row * 2] = view.getUint32(at + 14)
    columns.u32[columns.dstMac + row * 2 + 1] = view.getUint16(at + 12)
    const type = view.getUint32(at + 20)
    columns.u16[columns.etherType + row] = type
    columns.u8[columns.corrections + row] = NO_FCS
    this.layer2 = length > FCS ? length - FCS : 0
    if (type === 0x0800 || type === 0x86dd) this.layer3 = Math.max(0, this.layer2 - ETHERNET_HEADER)
  }

  /** The fields that sampled_ipv4 and sampled_ipv6 share; `at` is the record, `ports` its source port. */
  private transport(view: DataView, at: number, ports: number, version: 4 | 6, row: number): void {
    const { columns } = this
    this.layer3 = view.getUint32(at)
    columns.u16[columns.etherType + row] = version === 4 ? 0x0800 : 0x86dd
    columns.u8[columns.version + row] = version
    columns.u8[columns.ipProtocol + row] = view.getUint32(at + 4)
    columns.u16[columns.srcPort + row] = view.getUint32(ports)
    columns.u16[columns.dstPort + row] = view.getUint32(ports + 4)
    columns.u16[columns.tcpFlags + row] = view.getUint32(ports + 8)
    columns.u8[columns.tos + row] = view.getUint32(ports + 12)
  }

  /** extended_switch: the VLAN is that of the frame itself where it was tagged (OVS repeats it, access ports say 0). */
  private vlan(view: DataView, row: number): void {
    if (this.packet!.tags > 0) return
    const vlan = view.getUint32(this.records.at[SWITCH]!)
    if (vlan < 4096) this.columns.u16[this.columns.vlan + row] = vlan
  }

  private others(view: DataView, row: number): void {
    const { seen } = this.records
    if ((seen & BIT.mpls) !== 0 && this.columns.u32[this.columns.mplsLabel + row] === 0) this.mpls(view, row)
    if ((seen & TUNNEL_BITS) !== 0) writeTunnel(this.columns, view, this.records, row)
  }

  /** extended_mpls: next hop (type u32 | 0, 4 or 16 bytes) | in_stack<> | out_stack<>. The top label it came with, else it leaves with. */
  private mpls(view: DataView, row: number): void {
    const end = this.records.end[SLOT.mpls]!
    let at = this.records.at[SLOT.mpls]!
    const type = view.getUint32(at)
    at += 4 + (type === 1 ? 4 : type === 2 ? 16 : 0)
    for (let stack = 0; stack < 2 && end - at >= 8; stack++) {
      const labels = view.getUint32(at)
      if (labels > 0) {
        this.columns.u32[this.columns.mplsLabel + row] = view.getUint32(at + 4) >>> 12
        return
      }
      at += 4
    }
  }

  /**
   * Horvitz–Thompson: a sample at rate R stands for R packets; the variance of the estimated octets is R(R-1) times the square of the
   * length. A rate of 0 is not known, the packet counts once.
   */
  private counts(rate: number, row: number): void {
    const { columns, layer2, layer3 } = this
    const factor = rate > 1 ? rate : 1
    columns.u32[columns.samplingRate + row] = rate
    columns.u32[columns.packets + row * 2] = factor
    writeU64(columns.u32, columns.bytes + row * 2, layer3 * factor)
    writeU64(columns.u32, columns.l2Bytes + row * 2, layer2 * factor)
    if (factor === 1) return
    const spread = factor * (factor - 1)
    columns.u32[columns.samples + row] = 1
    columns.f64[columns.bytesVariance + row] = spread * layer3 * layer3
    columns.f64[columns.l2BytesVariance + row] = spread * layer2 * layer2
  }
}

/** A product below 2^64 into two lanes; nearly always it fits the lower one. */
function writeU64(u32: Uint32Array, at: number, value: number): void {
  u32[at] = value
  if (value > 0xffff_ffff) u32[at + 1] = value / 0x1_0000_0000
}
