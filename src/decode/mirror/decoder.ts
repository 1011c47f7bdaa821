import type { FlowBatch } from '../../schema/batch.ts'
import { CORRECTIONS } from '../../schema/enums.ts'
import type { Datagram, Decoder } from '../decoder.ts'
import { layer3Octets, PacketDissector } from '../packet.ts'
import { STATUS, type DecodeStatus } from '../status.ts'
import { Encapsulation, INNER } from './encapsulation.ts'
import { FlowCache, type FlowCacheOptions } from './flow-cache.ts'
import { MirroredFrame } from './frame.ts'
import { unwrapGre } from './gre.ts'
import { unwrapVxlan } from './vxlan.ts'

const TAG_LENGTH = 4
const FIN = 1
const SYN = 2

export interface MirrorOptions extends FlowCacheOptions {
  /** Frames of another type of service are another flow. Default true. */
  keyTos: boolean
  /**
   * The outer VLAN tag was put there by the mirror and does not count in `l2_bytes`. Default true: Open vSwitch tags what it
   * mirrors to a port without `tag` with the local VLAN of the mirrored port.
   */
  tagInserted: boolean
}

/**
 * Frames mirrored through GRE and ERSPAN (`gre`), or VXLAN (`vxlan`), added up to flow records.
 *
 * Rows come later than datagrams: `decode` appends a row only where a flow is due or pushed out, `expire` those whose time is
 * up, `flush` all of them. A frame counts if at least its Ethernet header is there, whatever its inner headers are like: the
 * status tells, but the octets were sent. Statuses of `decode` are those of the encapsulation, then of the dissector.
 */
export class MirrorDecoder implements Decoder {
  readonly protocol: 'gre' | 'vxlan'
  readonly cache: FlowCache
  private readonly keyTos: boolean
  private readonly tagInserted: boolean
  private readonly encapsulation = new Encapsulation()
  private readonly frame = new MirroredFrame()
  private readonly packet = new PacketDissector(this.frame.columns)

  constructor(protocol: 'gre' | 'vxlan', options: Partial<MirrorOptions> = {}) {
    this.protocol = protocol
    this.cache = new FlowCache(options)
    this.keyTos = options.keyTos ?? true
    this.tagInserted = options.tagInserted ?? true
  }

  decode(datagram: Datagram, out: FlowBatch): DecodeStatus {
    const from = this.encapsulation
    const unwrapped = this.protocol === 'gre' ? unwrapGre(from, datagram) : unwrapVxlan(from, datagram)
    if (unwrapped !== STATUS.ok) return unwrapped
    this.frame.clear()
    const status = this.dissect(datagram.view)
    if (this.frame.columns.ether_type[0] === 0 && this.packet.l2Length === 0) return status
    this.measure(datagram)
    this.cache.add(this.frame, out)
    return status
  }

  /** Appends flows whose time is up at `nowMs`, until `out` is full; how many. Call again while `out` came back full. */
  expire(nowMs: number, out: FlowBatch): number {
    return this.cache.expire(nowMs, out)
  }

  /** Appends all flows, until `out` is full; how many. Call again until it answers 0. */
  flush(out: FlowBatch): number {
    return this.cache.flush(out)
  }

  private dissect(view: DataView): DecodeStatus {
    const { inner, start, end } = this.encapsulation
    if (inner === INNER.ethernet) return this.packet.ethernet(view, start, end, 0)
    return inner === INNER.ip ? this.packet.ip(view, start, end, 0) : this.packet.mpls(view, start, end, 0)
  }

  /** Key and lengths of the frame. Never from the captured size where the headers tell: a mirror may cut frames (snaplen). */
  private measure(datagram: Datagram): void {
    const { encapsulation: from, frame, packet } = this
    const { columns } = frame
    let corrections = 0
    let length = from.frameLength
    if (packet.ipLength > 0 && packet.l2Length + packet.ipLength > from.end - from.start) {
      length = Math.max(length, packet.l2Length + packet.ipLength)
      corrections |= CORRECTIONS.truncated.bit
    }
    frame.bytes = layer3Octets(packet, length)
    frame.l2Bytes = from.inner === INNER.ethernet ? length : 0
    if (this.tagInserted && packet.tags > 0) {
      frame.l2Bytes -= TAG_LENGTH
      corrections |= CORRECTIONS.mirror_vlan.bit
    }
    if (packet.tags === 0) columns.vlan[0] = from.vlan
    frame.corrections = corrections
    frame.atMs = datagram.receivedMs
    frame.tos = columns.tos[0]!
    this.measureTcp(datagram.view)
    if (!this.keyTos) columns.tos[0] = 0
    frame.from(datagram.exporter, from.point, from.domain, from.exportProtocol)
  }
  /** Sequence number and length of a TCP segment (RFC 9293 §3.1), of the length that the IP header tells. */
  private measureTcp(view: DataView): void {
    const { encapsulation: from, frame, packet } = this
    frame.tcpLength = -1
    const { tcpAt } = packet
    if (tcpAt === 0 || packet.ipLength === 0) return
    const header = (view.getUint8(tcpAt + 12) >>> 4) * 4
    const payload = from.start + packet.l2Length + packet.ipLength - tcpAt - header
    if (payload < 0) return
    const flags = frame.columns.tcp_flags[0]!
    frame.tcpSequence = view.getUint32(tcpAt + 4)
    frame.tcpLength = payload + ((flags & SYN) >>> 1) + (flags & FIN)
  }
}
