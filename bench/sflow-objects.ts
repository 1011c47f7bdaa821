/** What a decoder usually looks like: one object a sample, addresses as strings. The bench runs it beside ours. */
export interface FlowObject {
  agent: string
  subAgent: number
  sequence: number
  sourceId: number
  samplingRate: number
  input: number
  output: number
  vlan: number
  frameLength: number
  srcMac: string
  dstMac: string
  etherType: number
  srcAddress: string
  dstAddress: string
  protocol: number
  tos: number
  ttl: number
  srcPort: number
  dstPort: number
  tcpFlags: number
  packets: number
  bytes: number
  l2Bytes: number
}

/** Flow samples of a sound datagram of an IPv4 agent; IPv4 and IPv6 headers, no tags. */
export function decodeToObjects(datagram: Buffer): FlowObject[] {
  const flows: FlowObject[] = []
  const agent = ip4(datagram, 8)
  const subAgent = datagram.readUInt32BE(12)
  const sequence = datagram.readUInt32BE(16)
  let at = 28
  for (let count = datagram.readUInt32BE(24); count > 0; count--) {
    const format = datagram.readUInt32BE(at)
    const length = datagram.readUInt32BE(at + 4)
    const sample = datagram.subarray(at + 8, at + 8 + length)
    if (format === 1) flows.push({ agent, subAgent, sequence, ...readSample(sample) })
    at += 8 + length
  }
  return flows
}

type Sample = Omit<FlowObject, 'agent' | 'subAgent' | 'sequence'>

function readSample(sample: Buffer): Sample {
  const samplingRate = sample.readUInt32BE(8)
  const flow: Sample = { ...EMPTY, sourceId: sample.readUInt32BE(4), samplingRate, packets: samplingRate }
  flow.input = sample.readUInt32BE(20)
  flow.output = sample.readUInt32BE(24)
  let at = 32
  for (let count = sample.readUInt32BE(28); count > 0; count--) {
    const format = sample.readUInt32BE(at)
    const length = sample.readUInt32BE(at + 4)
    const record = sample.subarray(at + 8, at + 8 + length)
    if (format === 1001) flow.vlan = record.readUInt32BE(0)
    if (format === 1) readHeader(record, flow)
    at += 8 + length
  }
  return flow
}

function readHeader(record: Buffer, flow: Sample): void {
  flow.frameLength = record.readUInt32BE(4)
  flow.l2Bytes = (flow.frameLength - record.readUInt32BE(8)) * flow.samplingRate
  const frame = record.subarray(16, 16 + record.readUInt32BE(12))
  flow.dstMac = frame.toString('hex', 0, 6)
  flow.srcMac = frame.toString('hex', 6, 12)
  flow.etherType = frame.readUInt16BE(12)
  const packet = frame.subarray(14)
  if (flow.etherType === 0x0800) {
    flow.tos = packet[1]!
    flow.bytes = packet.readUInt16BE(2) * flow.samplingRate
    flow.ttl = packet[8]!
    flow.protocol = packet[9]!
    flow.srcAddress = ip4(packet, 12)
    flow.dstAddress = ip4(packet, 16)
    readTransport(packet.subarray((packet[0]! & 15) * 4), flow)
  } else if (flow.etherType === 0x86dd) {
    flow.bytes = (packet.readUInt16BE(4) + 40) * flow.samplingRate
    flow.protocol = packet[6]!
    flow.ttl = packet[7]!
    flow.srcAddress = ip6(packet, 8)
    flow.dstAddress = ip6(packet, 24)
    readTransport(packet.subarray(40), flow)
  }
}

function readTransport(segment: Buffer, flow: Sample): void {
  if (flow.protocol !== 6 && flow.protocol !== 17) return
  flow.srcPort = segment.readUInt16BE(0)
  flow.dstPort = segment.readUInt16BE(2)
  if (flow.protocol === 6) flow.tcpFlags = segment.readUInt16BE(12) & 0xfff
}

function ip4(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

function ip6(bytes: Buffer, at: number): string {
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + i * 2).toString(16)).join(':')
}

const EMPTY: Sample = {
  sourceId: 0,
  samplingRate: 0,
  input: 0,
  output: 0,
  vlan: 0,
  frameLength: 0,
  srcMac: '',
  dstMac: '',
  etherType: 0,
  srcAddress: '',
  dstAddress: '',
  protocol: 0,
  tos: 0,
  ttl: 0,
  srcPort: 0,
  dstPort: 0,
  tcpFlags: 0,
  packets: 0,
  bytes: 0,
  l2Bytes: 0,
}
