/**
 * What exporters send, made once and sent again and again: fixed, nothing random. Exporters are loopback addresses; each has its own
 * datagrams and its own sequence.
 */
import { capturedDatagrams } from '../../test/decode/captured.ts'
import { PCAPS } from '../../test/paths.ts'
import { hostAddress, syntheticPort, type CloudSize } from '../cloud.ts'
import { NETFLOW5_RECORDS, writeIPv4, writeRecords } from '../netflow5.ts'

const CLOUD: CloudSize = { hosts: 50, ports: 20, networks: 25 }

export interface Exporter {
  /** Loopback address that it sends from, and the address that it is taken for. */
  from: string
  as: string
  /** Sent first: templates. */
  before: Buffer[]
  datagrams: Buffer[]
}

export interface Load {
  name: string
  input: 'netflow' | 'ipfix' | 'sflow' | 'gre'
  /** Model: a synthetic cloud, or an identity file. */
  identity: CloudSize | string
  exporters: Exporter[]
  /** Flow records of each datagram; a mirrored frame is a packet of one. */
  records: number
  /** Where the sequence number lies in a datagram, and by how much it rises; 0 = it is left as it is. */
  sequenceAt: number
  /** sFlow, which numbers its flow samples besides: where the number of a datagram lies in it, and then those of its samples. */
  numbersAt?: (datagram: Buffer) => readonly number[]
}

const EXPORTERS = 8
const EXPORTERS_A_NET = 250
const DATAGRAMS = 64
/** Of each where exporters are many. */
const FEW = 8
const FULL = 7
const MIRRORED_BYTES = 128

export async function loads(): Promise<Load[]> {
  return [netflow5(), packedIpfix(), await ovsIpfix(), await sflow(), gre()]
}

/** Exports of the lab over UDP, by protocol: each record has its servers, for a collector that is told the lab's identity. */
export const LAB_LOADS: Readonly<Record<string, () => Promise<Load>>> = {
  netflow5: labNetflow5,
  ipfix: ovsIpfix,
  sflow,
}

function from(exporter: number): string {
  return `127.0.${64 + Math.floor(exporter / EXPORTERS_A_NET)}.${(exporter % EXPORTERS_A_NET) + 1}`
}

/** Full NetFlow v5 datagrams of hosts whose servers talk to others of their network; by default of eight hosts of a small cloud. */
export function netflow5(cloud = CLOUD, exporters = EXPORTERS): Load {
  const datagram = (host: number, d: number) => {
    const bytes = Buffer.alloc(24 + NETFLOW5_RECORDS * 48)
    bytes.writeUInt16BE(5)
    bytes.writeUInt16BE(NETFLOW5_RECORDS, 2)
    bytes.writeUInt32BE(3_600_000, 4)
    bytes.writeUInt32BE(1_790_000_000, 8)
    writeRecords(bytes, host, d, cloud)
    return bytes
  }
  return {
    name: 'NetFlow v5, 30 records a datagram',
    input: 'netflow',
    identity: cloud,
    exporters: list(exporters, (i) => {
      // Spread over all hosts there are.
      const host = Math.floor((i * cloud.hosts) / exporters)
      const datagrams = list(exporters > EXPORTERS ? FEW : DATAGRAMS, (d) => datagram(host, d))
      return { from: from(i), as: hostAddress(host), before: [], datagrams }
    }),
    records: NETFLOW5_RECORDS,
    sequenceAt: 16,
  }
}

/** The lab's NetFlow v5 records, as many in a datagram as fit. */
async function labNetflow5(): Promise<Load> {
  const captured = await capturedDatagrams(`${PCAPS}netflow5/capture.pcap`, (port) => port === 2055)
  const sources = [...new Set(captured.map(({ source }) => source))]
  const records = sources.map((as) => {
    const own = captured.filter(({ source }) => source === as).map(({ bytes }) => Buffer.from(bytes))
    // One bridge: engines number their flows each by itself.
    const header = own[0]!.subarray(0, 24)
    const mine = own.filter((bytes) => bytes.readUInt16BE(20) === header.readUInt16BE(20))
    const all = mine.flatMap((bytes) => list(bytes.readUInt16BE(2), (i) => bytes.subarray(24 + i * 48, 72 + i * 48)))
    return { as, header, all }
  })
  return {
    name: 'NetFlow v5 of the lab, 30 records a datagram',
    input: 'netflow',
    identity: `${PCAPS}netflow5/identity.yaml`,
    exporters: records.map(({ as, header, all }, i) => ({
      from: from(i),
      as,
      before: [],
      datagrams: list(DATAGRAMS, (d) => {
        const body = list(NETFLOW5_RECORDS, (r) => all[(d * NETFLOW5_RECORDS + r) % all.length]!)
        const bytes = Buffer.concat([header, ...body])
        bytes.writeUInt16BE(NETFLOW5_RECORDS, 2)
        return bytes
      }),
    })),
    records: NETFLOW5_RECORDS,
    sequenceAt: 16,
  }
}

/** A router's usual fields, element and length. */
const FIELDS = [
  [8, 4],
  [12, 4],
  [7, 2],
  [11, 2],
  [4, 1],
  [5, 1],
  [6, 1],
  [10, 4],
  [14, 4],
  [1, 8],
  [2, 8],
  [152, 8],
  [153, 8],
  [61, 1],
] as const

function packedIpfix(): Load {
  const RECORDS = 21
  const TEMPLATE = 300
  const template = Buffer.alloc(8 + FIELDS.length * 4)
  template.writeUInt16BE(2, 0)
  template.writeUInt16BE(template.length, 2)
  template.writeUInt16BE(TEMPLATE, 4)
  template.writeUInt16BE(FIELDS.length, 6)
  FIELDS.forEach(([id, length], i) => template.writeUInt32BE(id * 0x1_0000 + length, 8 + i * 4))
  const recordBytes = FIELDS.reduce((sum, [, length]) => sum + length, 0)
  const datagram = (host: number, d: number) => {
    const set = Buffer.alloc(4 + RECORDS * recordBytes)
    set.writeUInt16BE(TEMPLATE, 0)
    set.writeUInt16BE(set.length, 2)
    let at = 4
    for (let r = 0; r < RECORDS; r++)
      for (const [id, length] of FIELDS) {
        const n = host + CLOUD.hosts * ((d * 7 + r * 31) % CLOUD.ports)
        if (id === 8 || id === 12)
          writeIPv4(set, at, syntheticPort(n + (id === 12 ? CLOUD.networks : 0), CLOUD).address)
        else if (id === 152 || id === 153) set.writeBigUInt64BE(1_790_000_000_000n + BigInt(d * RECORDS + r), at)
        else if (id === 1 || id === 2) set.writeUInt32BE(id === 1 ? 900 + d * r : 1 + r, at + 4)
        // By the port of the source, on the way in: a number of no interface would have the record wait for a later model to know it.
        else if (id === 10) set.writeUInt32BE(100 + syntheticPort(n, CLOUD).ofport, at)
        else if (id === 14 || id === 61) set.fill(0, at, at + length)
        else if (length > 1) set.writeUInt16BE((d * 7 + r + id) & 0xffff, at + length - 2)
        else set[at] = id === 4 ? 6 : r
        at += length
      }
    return message(set)
  }
  return {
    name: 'IPFIX, 21 records a message',
    input: 'ipfix',
    identity: CLOUD,
    exporters: syntheticExporters((host) => ({
      before: [message(template)],
      datagrams: list(DATAGRAMS, (d) => datagram(host, d)),
    })),
    records: RECORDS,
    sequenceAt: 8,
  }
}

/** The lab's IPFIX, one record a datagram as Open vSwitch sends it: two compute nodes and the network node. */
async function ovsIpfix(): Promise<Load> {
  const captured = await capturedDatagrams(`${PCAPS}ipfix/capture.pcap`, (port) => port === 4739)
  const sources = [...new Set(captured.map(({ source }) => source))]
  const setOf = (bytes: Buffer) => bytes.readUInt16BE(16)
  return {
    name: 'IPFIX of Open vSwitch, 1 record a datagram',
    input: 'ipfix',
    identity: `${PCAPS}ipfix/identity.yaml`,
    exporters: sources.map((as, i) => {
      // One bridge: its templates are its own. 462 holds options data.
      const own = captured.filter(({ source }) => source === as)
      const mine = own.filter(({ port }) => port === own[0]!.port).map(({ bytes }) => Buffer.from(bytes))
      return {
        from: from(i),
        as,
        before: mine.filter((bytes) => setOf(bytes) < 256),
        datagrams: mine.filter((bytes) => setOf(bytes) >= 256 && setOf(bytes) !== 462),
      }
    }),
    records: 1,
    sequenceAt: 8,
  }
}

/** The lab's full sFlow datagrams, those of each bridge by themselves. */
async function sflow(): Promise<Load> {
  const captured = await capturedDatagrams(`${PCAPS}sflow5/capture.pcap`, (port) => port === 6343)
  const full = captured.filter(({ bytes }) => flowSamples(Buffer.from(bytes)).length === FULL)
  const bytesOf = ({ bytes }: { bytes: Uint8Array }) => Buffer.from(bytes)
  const sources = [...new Set(full.map(({ source }) => source))]
  const subAgents = [...new Set(full.map((one) => bytesOf(one).readUInt32BE(12)))]
  return {
    name: `sFlow, ${FULL} samples of 128 bytes a datagram`,
    input: 'sflow',
    identity: `${PCAPS}sflow5/identity.yaml`,
    exporters: sources.flatMap((as, i) =>
      subAgents
        .map((subAgent) => full.filter((one) => one.source === as && bytesOf(one).readUInt32BE(12) === subAgent))
        .filter((own) => own.length > 0)
        .map((own) => ({ from: from(i), as, before: [], datagrams: own.map(bytesOf) })),
    ),
    records: FULL,
    sequenceAt: 0,
    numbersAt: (datagram) => [16, ...flowSamples(datagram).map((at) => at + 8)],
  }
}

/** Frames of 128 bytes mirrored through GRE: TCP between servers of a network, 64 flows of each of eight hosts. */
function gre(): Load {
  const frame = (host: number, d: number) => {
    const n = host + CLOUD.hosts * ((d * 7) % CLOUD.ports)
    const source = syntheticPort(n, CLOUD)
    const destination = syntheticPort(n + CLOUD.networks, CLOUD)
    // Key present, Ethernet inside (RFC 2890); then Ethernet, IPv4, TCP.
    const bytes = Buffer.alloc(8 + MIRRORED_BYTES)
    bytes.writeUInt32BE(0x2000_6558)
    writeMac(bytes, 8, destination.mac)
    writeMac(bytes, 14, source.mac)
    bytes.writeUInt16BE(0x0800, 20)
    bytes.writeUInt16BE(0x4500, 22)
    bytes.writeUInt16BE(MIRRORED_BYTES - 14, 24)
    bytes.writeUInt16BE(0x4006, 30)
    writeIPv4(bytes, 34, source.address)
    writeIPv4(bytes, 38, destination.address)
    bytes.writeUInt16BE(1024 + d, 42)
    bytes.writeUInt16BE(443, 44)
    bytes.writeUInt16BE(0x5018, 54)
    return bytes
  }
  return {
    name: `GRE mirror, ${MIRRORED_BYTES}-byte frames`,
    input: 'gre',
    identity: CLOUD,
    exporters: syntheticExporters((host) => ({ before: [], datagrams: list(DATAGRAMS, (d) => frame(host, d)) })),
    records: 1,
    sequenceAt: 0,
  }
}

function writeMac(bytes: Buffer, at: number, mac: string): void {
  bytes.write(mac.replaceAll(':', ''), at, 'hex')
}

/** Where flow samples begin in a datagram of an IPv4 agent; the others count interfaces. */
function flowSamples(bytes: Buffer): number[] {
  const found: number[] = []
  for (let at = 28; at + 8 <= bytes.length; at += 8 + bytes.readUInt32BE(at + 4)) {
    const format = bytes.readUInt32BE(at)
    if (format === 1 || format === 3) found.push(at)
  }
  return found
}

function syntheticExporters(of: (host: number) => Pick<Exporter, 'before' | 'datagrams'>): Exporter[] {
  return list(EXPORTERS, (host) => ({ from: from(host), as: hostAddress(host), ...of(host) }))
}

function message(set: Buffer): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt16BE(10, 0)
  head.writeUInt16BE(16 + set.length, 2)
  head.writeUInt32BE(1_790_000_000, 4)
  return Buffer.concat([head, set])
}

function list<T>(length: number, of: (i: number) => T): T[] {
  return Array.from({ length }, (_, i) => of(i))
}
