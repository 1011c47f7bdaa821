/**
 * Names of the model as codes of a batch's string table: each string is interned once per layout of the model and string table,
 * when it is first needed, and from then on a row costs a copy of numbers. Edits of the model cost what they changed.
 */
import { newWords } from '../identity/memory.ts'
import { TEXTS } from '../identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { BatchLayout, BatchMemory } from '../schema/batch.ts'
import type { ColumnName } from '../schema/columns.ts'
import type { StringTable } from '../schema/strings.ts'
import type { Found } from './found.ts'
import { InterfaceNames } from './interface-names.ts'

const WIDTH = TEXTS.length
/** What attribution needs of an endpoint lies in one cache line: codes of its texts, and behind them what it is. */
const STRIDE_BITS = 4
/** Kind, then reports and flags. */
const FACTS = WIDTH
const NETWORK = WIDTH + 1
const PROJECT = WIDTH + 2
const HOST = WIDTH + 3
/** Last word of the first address. */
const ADDRESS = WIDTH + 4
const REPORTS_SHIFT = 8
const KIND_MASK = 0xff
const REPORTS_KNOWN = 0x1_0000
/** It always holds, and is no trunk's parent. */
const PLAIN = 0x2_0000
/** The first address is of IPv4, so that its last word is all of it. */
const IPV4 = 0x4_0000
/** The line was filled. */
const KNOWN = 0x8_0000
const MAPPED = 0xffff0000 | 0

export class Names {
  snapshot: IdentitySnapshot
  readonly interfaces: InterfaceNames
  readonly strings: StringTable
  /** 2^STRIDE_BITS words an endpoint: WIDTH codes, then FACTS and what follows. */
  private readonly codes: Int32Array
  private readonly hosts: Uint32Array
  private readonly bridges: Uint32Array
  private readonly devices: Uint32Array
  /** Changes of endpoints that were looked at. */
  private changesSeen: number
  /** Where the columns of the memory written last begin, in the order of TEXTS. */
  private layout: BatchLayout | undefined
  private sourceColumns: readonly number[] = []
  private destinationColumns: readonly number[] = []
  private placeColumns: readonly [number, number, number, number] = [0, 0, 0, 0]

  constructor(snapshot: IdentitySnapshot, strings: StringTable) {
    this.snapshot = snapshot
    this.strings = strings
    this.interfaces = new InterfaceNames(snapshot, strings)
    this.codes = newWords(snapshot.endpoints.room << STRIDE_BITS)
    this.hosts = new Uint32Array(snapshot.hosts.length)
    this.bridges = new Uint32Array(snapshot.bridges.length)
    this.devices = new Uint32Array(snapshot.interfaces.room)
    this.changesSeen = snapshot.endpoints.changed.length
  }

  /** Goes on with another snapshot; false when it is of another layout. */
  use(snapshot: IdentitySnapshot): boolean {
    if (snapshot.edited !== this.snapshot.edited) return false
    this.snapshot = snapshot
    this.interfaces.use(snapshot)
    const { changed } = snapshot.endpoints
    for (; this.changesSeen < changed.length; this.changesSeen++)
      this.codes[(changed[this.changesSeen]! << STRIDE_BITS) + FACTS] = 0
    return true
  }

  // What an endpoint is, from its line. It has to be in it: `know` first, or `write`.

  /** Makes sure that the line of an endpoint is filled. */
  know(endpoint: number): void {
    if (this.codes[(endpoint << STRIDE_BITS) + FACTS] === 0) this.learn(endpoint)
  }

  /** A code of KIND. */
  kind(endpoint: number): number {
    return this.codes[(endpoint << STRIDE_BITS) + FACTS]! & KIND_MASK
  }

  network(endpoint: number): number {
    return this.codes[(endpoint << STRIDE_BITS) + NETWORK]!
  }

  project(endpoint: number): number {
    return this.codes[(endpoint << STRIDE_BITS) + PROJECT]!
  }

  hostOf(endpoint: number): number {
    return this.codes[(endpoint << STRIDE_BITS) + HOST]!
  }

  /** Bits of REPORTS, −1 when OVSDB does not tell them. */
  reports(endpoint: number): number {
    const facts = this.codes[(endpoint << STRIDE_BITS) + FACTS]!
    return (facts & REPORTS_KNOWN) === 0 ? -1 : (facts >> REPORTS_SHIFT) & 0xff
  }

  isPlain(endpoint: number): boolean {
    return (this.codes[(endpoint << STRIDE_BITS) + FACTS]! & PLAIN) !== 0
  }

  isFirstAddress(endpoint: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const at = endpoint << STRIDE_BITS
    if ((this.codes[at + FACTS]! & IPV4) === 0) return this.snapshot.endpoints.isFirstAddress(endpoint, a0, a1, a2, a3)
    return this.codes[at + ADDRESS] === a3 && a2 === MAPPED && (a0 | a1) === 0
  }

  /** Writes all texts of `n` rows, from row `row` of the memory on. What was exported is left as it is. */
  write(memory: BatchMemory, row: number, n: number, found: Found): void {
    if (memory.layout !== this.layout) this.locate(memory.layout)
    this.writeEnds(memory.u32, this.sourceColumns, row, n, found.sources, found.sourceHosts)
    this.writeEnds(memory.u32, this.destinationColumns, row, n, found.destinations, found.destinationHosts)
    this.writePlaces(memory.u32, row, n, found)
  }

  private locate(layout: BatchLayout): void {
    this.layout = layout
    const { first } = layout
    const columns = (side: 'src' | 'dst') => TEXTS.map((text) => first[`${side}_${text}` satisfies ColumnName])
    this.sourceColumns = columns('src')
    this.destinationColumns = columns('dst')
    this.placeColumns = [first.exporter_host, first.bridge, first.in_if_name, first.out_if_name]
  }

  /** Reads the codes of `n` endpoints, for the cache's sake; numbers below 0 are none. */
  touch(endpoints: Int32Array, n: number): number {
    const { codes } = this
    let sum = 0
    for (let i = 0; i < n; i++) sum ^= codes[Math.max(0, endpoints[i]!) << STRIDE_BITS]!
    return sum
  }

  private writePlaces(u32: Uint32Array, row: number, n: number, found: Found): void {
    const { hosts: hostCodes, bridges: bridgeCodes, devices } = this
    const { hosts, bridges, inIfs, outIfs } = found
    const host = this.placeColumns[0] + row
    const bridge = this.placeColumns[1] + row
    const inName = this.placeColumns[2] + row
    const outName = this.placeColumns[3] + row
    for (let i = 0; i < n; i++) {
      u32[host + i] = hostCodes[hosts[i]!]! || this.host(hosts[i]!)
      u32[bridge + i] = bridgeCodes[bridges[i]!]! || this.bridge(bridges[i]!)
    }
    for (let i = 0; i < n; i++) {
      if (u32[inName + i] === 0 && inIfs[i] !== 0) u32[inName + i] = devices[inIfs[i]!]! || this.device(inIfs[i]!)
      if (u32[outName + i] === 0 && outIfs[i] !== 0) u32[outName + i] = devices[outIfs[i]!]! || this.device(outIfs[i]!)
    }
  }

  /** Measured: 10 ns an end through the memory's one view, 17 with a loop a column, 60 row by row into the columns' views. */
  private writeEnds(
    u32: Uint32Array,
    columns: readonly number[],
    row: number,
    n: number,
    endpoints: Int32Array,
    hosts: Int32Array,
  ): void {
    const { codes } = this
    const projectId = columns[0]! + row
    const project = columns[1]! + row
    const networkId = columns[2]! + row
    const network = columns[3]! + row
    const serverId = columns[4]! + row
    const server = columns[5]! + row
    const portId = columns[6]! + row
    const port = columns[7]! + row
    const host = columns[8]! + row
    const routerId = columns[9]! + row
    for (let i = 0; i < n; i++) {
      const endpoint = endpoints[i]!
      const at = endpoint << STRIDE_BITS
      if (codes[at + FACTS] === 0) this.learn(endpoint)
      u32[projectId + i] = codes[at]!
      u32[project + i] = codes[at + 1]!
      u32[networkId + i] = codes[at + 2]!
      u32[network + i] = codes[at + 3]!
      u32[serverId + i] = codes[at + 4]!
      u32[server + i] = codes[at + 5]!
      u32[portId + i] = codes[at + 6]!
      u32[port + i] = codes[at + 7]!
      u32[host + i] = hosts[i] === 0 ? codes[at + 8]! : this.host(hosts[i]!)
      u32[routerId + i] = codes[at + 9]!
    }
  }

  private host(host: number): number {
    return this.hosts[host]! || (this.hosts[host] = this.strings.intern(this.snapshot.hosts[host]!.name))
  }

  private bridge(bridge: number): number {
    return this.bridges[bridge]! || (this.bridges[bridge] = this.strings.intern(this.snapshot.bridges[bridge]!.name))
  }

  private device(item: number): number {
    return this.devices[item]! || (this.devices[item] = this.strings.intern(this.snapshot.interfaces.name(item)))
  }

  private learn(endpoint: number): void {
    const { endpoints } = this.snapshot
    const at = endpoint << STRIDE_BITS
    for (let i = 0; i < WIDTH; i++) this.codes[at + i] = this.strings.intern(endpoints.text(endpoint, i))
    const [a0, a1, a2, a3] = endpoints.firstAddress(endpoint) as unknown as readonly [number, number, number, number]
    this.codes[at + NETWORK] = endpoints.network(endpoint)
    this.codes[at + PROJECT] = endpoints.project(endpoint)
    this.codes[at + HOST] = endpoints.host(endpoint)
    this.codes[at + ADDRESS] = a3
    this.codes[at + FACTS] =
      KNOWN |
      endpoints.kind(endpoint) |
      (endpoints.reports(endpoint) << REPORTS_SHIFT) |
      (endpoints.reportsKnown(endpoint) ? REPORTS_KNOWN : 0) |
      (endpoints.isPlain(endpoint) ? PLAIN : 0) |
      ((a0 | a1) === 0 && a2 === MAPPED ? IPV4 : 0)
  }
}
