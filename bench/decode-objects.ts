/** What decoders of NetFlow and IPFIX usually look like: one object a record, addresses as strings. The bench runs it beside ours. */
export type FlowObject = Record<string, string | number>

/** Records of a sound NetFlow v5 datagram. */
export function netflow5Objects(datagram: Buffer): FlowObject[] {
  const flows: FlowObject[] = []
  const count = datagram.readUInt16BE(2)
  const uptime = datagram.readUInt32BE(4)
  const seconds = datagram.readUInt32BE(8)
  for (let i = 0, at = 24; i < count; i++, at += 48) {
    flows.push({
      srcaddr: ip4(datagram, at),
      dstaddr: ip4(datagram, at + 4),
      input: datagram.readUInt16BE(at + 12),
      output: datagram.readUInt16BE(at + 14),
      dPkts: datagram.readUInt32BE(at + 16),
      dOctets: datagram.readUInt32BE(at + 20),
      first: seconds * 1000 - (uptime - datagram.readUInt32BE(at + 24)),
      last: seconds * 1000 - (uptime - datagram.readUInt32BE(at + 28)),
      srcport: datagram.readUInt16BE(at + 32),
      dstport: datagram.readUInt16BE(at + 34),
      tcp_flags: datagram.readUInt8(at + 37),
      prot: datagram.readUInt8(at + 38),
      tos: datagram.readUInt8(at + 39),
    })
  }
  return flows
}

interface Field {
  id: number
  enterprise: number
  length: number
}

/** An IPFIX decoder that keeps templates in a Map and gives each record as an object keyed by element. */
export class IpfixObjects {
  private readonly templates = new Map<number, Field[]>()

  decode(message: Buffer): FlowObject[] {
    const flows: FlowObject[] = []
    for (let at = 16; at + 4 <= message.length;) {
      const id = message.readUInt16BE(at)
      const end = at + message.readUInt16BE(at + 2)
      if (id === 2) this.readTemplates(message.subarray(at + 4, end))
      const fields = this.templates.get(id)
      let next = fields === undefined ? end : at + 4
      while (next < end) {
        const flow: FlowObject = {}
        next = readRecord(message, next, fields!, flow)
        flows.push(flow)
      }
      at = end
    }
    return flows
  }

  private readTemplates(set: Buffer): void {
    for (let at = 0; at + 4 <= set.length;) {
      const id = set.readUInt16BE(at)
      const count = set.readUInt16BE(at + 2)
      at += 4
      const fields: Field[] = []
      for (let i = 0; i < count; i++) {
        const element = set.readUInt16BE(at)
        const own = element >= 0x8000
        fields.push({
          id: element & 0x7fff,
          length: set.readUInt16BE(at + 2),
          enterprise: own ? set.readUInt32BE(at + 4) : 0,
        })
        at += own ? 8 : 4
      }
      this.templates.set(id, fields)
    }
  }
}

function readRecord(message: Buffer, start: number, fields: readonly Field[], flow: FlowObject): number {
  let at = start
  for (const { id, enterprise, length } of fields) {
    let size = length
    if (length === 0xffff) size = message.readUInt8(at++)
    flow[enterprise === 0 ? id : `${enterprise}.${id}`] = readValue(message, at, size, length === 0xffff)
    at += size
  }
  return at
}

function readValue(message: Buffer, at: number, size: number, text: boolean): string | number {
  if (text) return message.toString('utf8', at, at + size)
  if (size === 8) return Number(message.readBigUInt64BE(at))
  if (size === 16) return message.toString('hex', at, at + 16)
  return size <= 6 && size > 0 ? message.readUIntBE(at, size) : ''
}

function ip4(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}
