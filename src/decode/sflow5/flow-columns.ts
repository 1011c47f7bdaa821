import type { FlowBatch } from '../../schema/batch.ts'

/**
 * Columns a flow sample fills beside those of the dissector, as positions in the views of its memory: row r of a column of one lane is
 * `u32[inIf + r]`, of an address `u32[exporter + r * 4 + lane]`.
 *
 * Measured, all of a sample into 45 columns: 55 ns through four views and positions, 190 ns through one typed array a column.
 */
export class FlowColumns {
  u8!: Uint8Array
  u16!: Uint16Array
  u32!: Uint32Array
  f64!: Float64Array
  private bound: FlowBatch | undefined = undefined

  point = 0
  inIf = 0
  outIf = 0
  outputKind = 0
  direction = 0
  srcMac = 0
  dstMac = 0
  etherType = 0
  vlan = 0
  mplsLabel = 0
  version = 0
  srcAddr = 0
  dstAddr = 0
  ipProtocol = 0
  tos = 0
  srcPort = 0
  dstPort = 0
  tcpFlags = 0
  ttl = 0
  flowLabel = 0
  icmpType = 0
  icmpCode = 0
  tunnelType = 0
  tunnelSrc = 0
  tunnelDst = 0
  tunnelSrcPort = 0
  tunnelDstPort = 0
  tunnelKey = 0
  packets = 0
  bytes = 0
  l2Bytes = 0
  samplingRate = 0
  samples = 0
  bytesVariance = 0
  l2BytesVariance = 0
  corrections = 0
  flowEnd = 0
  flowStart = 0
  timeReceived = 0
  protocol = 0
  exporter = 0
  agent = 0
  domain = 0
  sequence = 0

  /** From here on rows of `batch` are written. */
  bind(batch: FlowBatch): void {
    if (batch === this.bound) return
    this.bound = batch
    const { columns, memory } = batch
    this.u8 = memory.u8
    this.u16 = memory.u16
    this.u32 = memory.u32
    this.f64 = memory.f64
    this.point = begin(columns.observation_point)
    this.inIf = begin(columns.in_if)
    this.outIf = begin(columns.out_if)
    this.outputKind = begin(columns.output_kind)
    this.direction = begin(columns.flow_direction)
    this.srcMac = begin(columns.src_mac)
    this.dstMac = begin(columns.dst_mac)
    this.etherType = begin(columns.ether_type)
    this.vlan = begin(columns.vlan)
    this.mplsLabel = begin(columns.mpls_label)
    this.version = begin(columns.ip_version)
    this.srcAddr = begin(columns.src_addr)
    this.dstAddr = begin(columns.dst_addr)
    this.ipProtocol = begin(columns.ip_protocol)
    this.tos = begin(columns.tos)
    this.srcPort = begin(columns.src_l4_port)
    this.dstPort = begin(columns.dst_l4_port)
    this.tcpFlags = begin(columns.tcp_flags)
    this.ttl = begin(columns.ttl)
    this.flowLabel = begin(columns.flow_label)
    this.icmpType = begin(columns.icmp_type)
    this.icmpCode = begin(columns.icmp_code)
    this.tunnelType = begin(columns.tunnel_type)
    this.tunnelSrc = begin(columns.tunnel_src_addr)
    this.tunnelDst = begin(columns.tunnel_dst_addr)
    this.tunnelSrcPort = begin(columns.tunnel_src_port)
    this.tunnelDstPort = begin(columns.tunnel_dst_port)
    this.tunnelKey = begin(columns.tunnel_key)
    this.packets = begin(columns.packets)
    this.bytes = begin(columns.bytes)
    this.l2Bytes = begin(columns.l2_bytes)
    this.samplingRate = begin(columns.sampling_rate)
    this.samples = begin(columns.samples)
    this.bytesVariance = begin(columns.bytes_variance)
    this.l2BytesVariance = begin(columns.l2_bytes_variance)
    this.corrections = begin(columns.corrections)
    this.flowEnd = begin(columns.flow_end)
    this.flowStart = begin(columns.flow_start)
    this.timeReceived = begin(columns.time_received)
    this.protocol = begin(columns.export_protocol)
    this.exporter = begin(columns.exporter)
    this.agent = begin(columns.agent)
    this.domain = begin(columns.observation_domain)
    this.sequence = begin(columns.sequence)
  }
}

/** Index of a column's row 0 in the view of its element size. */
function begin(column: Uint8Array | Uint16Array | Uint32Array | Float64Array): number {
  return column.byteOffset / column.BYTES_PER_ELEMENT
}
