/**
 * Names of the model as codes of a batch's string table: each string is interned once per layout of the model and string table,
 * when it is first needed, and from then on an answer costs a copy of numbers. Edits of the model cost what they changed.
 */
import { newWords } from '../identity/memory.ts'
import { TEXTS } from '../identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { AnswerColumns } from '../schema/answers.ts'
import type { BatchMemory } from '../schema/batch.ts'
import type { StringTable } from '../schema/strings.ts'
import type { Found } from './found.ts'
import { InterfaceNames } from './interface-names.ts'

const WIDTH = TEXTS.length
const SOURCE_TEXTS = TEXTS.map((text) => `src_${text}` as const)
const DESTINATION_TEXTS = TEXTS.map((text) => `dst_${text}` as const)
const HOST_TEXT = TEXTS.indexOf('host')
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
  private hosts: Uint32Array
  private bridges: Uint32Array
  private readonly devices: Uint32Array
  /** Changes of endpoints that were looked at. */
  private changesSeen: number
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
    if (snapshot.hosts.length > this.hosts.length) this.hosts = longer(this.hosts, snapshot.hosts.length)
    if (snapshot.bridges.length > this.bridges.length) this.bridges = longer(this.bridges, snapshot.bridges.length)
    const { changed } = snapshot.endpoints
    for (; this.changesSeen < changed.length; this.changesSeen++)
      this.codes[(changed[this.changesSeen]! << STRIDE_BITS) + FACTS] = 0
    return true
  }

  // What an endpoint is, from its line. It has to be in it: `know` first, or `answer`.

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

  /** Puts the texts of the answers of `count` rows of the chunk, `rows`, under their `numbers` into the columns. */
  answer(columns: AnswerColumns, rows: Uint16Array, numbers: Uint32Array, count: number, found: Found): void {
    this.answerEnds(columns, SOURCE_TEXTS, rows, numbers, count, found.sources, found.sourceHosts)
    this.answerEnds(columns, DESTINATION_TEXTS, rows, numbers, count, found.destinations, found.destinationHosts)
    const { exporter_host, bridge } = columns
    for (let k = 0; k < count; k++) {
      const i = rows[k]!
      exporter_host[numbers[k]!] = this.host(found.hosts[i]!)
      bridge[numbers[k]!] = this.bridge(found.bridges[i]!)
    }
  }

  private answerEnds(
    columns: AnswerColumns,
    texts: typeof SOURCE_TEXTS | typeof DESTINATION_TEXTS,
    rows: Uint16Array,
    numbers: Uint32Array,
    count: number,
    endpoints: Int32Array,
    hosts: Int32Array,
  ): void {
    const { codes } = this
    for (let k = 0; k < count; k++) this.know(endpoints[rows[k]!]!)
    for (let i = 0; i < WIDTH; i++) {
      const column = columns[texts[i]!]
      for (let k = 0; k < count; k++) column[numbers[k]!] = codes[(endpoints[rows[k]!]! << STRIDE_BITS) + i]!
    }
    const host = columns[texts[HOST_TEXT]!]
    for (let k = 0; k < count; k++) {
      const other = hosts[rows[k]!]!
      if (other !== 0) host[numbers[k]!] = this.host(other)
    }
  }

  /** Writes the names of interfaces of `n` rows, from row `row` of the memory on. What was exported is left as it is. */
  writeInterfaces({ u32, layout }: BatchMemory, row: number, n: number, { inIfs, outIfs }: Found): void {
    const { devices } = this
    const inName = layout.first.in_if_name + row
    const outName = layout.first.out_if_name + row
    for (let i = 0; i < n; i++) {
      if (inIfs[i] !== 0 && u32[inName + i] === 0) u32[inName + i] = devices[inIfs[i]!]! || this.device(inIfs[i]!)
      if (outIfs[i] !== 0 && u32[outName + i] === 0) u32[outName + i] = devices[outIfs[i]!]! || this.device(outIfs[i]!)
    }
  }

  /** Reads the codes of `n` endpoints, for the cache's sake; numbers below 0 are none. */
  touch(endpoints: Int32Array, n: number): number {
    const { codes } = this
    let sum = 0
    for (let i = 0; i < n; i++) sum ^= codes[Math.max(0, endpoints[i]!) << STRIDE_BITS]!
    return sum
  }

  private host(host: number): number {
    return this.hosts[host]! || (this.hosts[host] = this.strings.intern(this.snapshot.hosts[host]!.name))
  }

  private bridge(bridge: number): number {
    return this.bridges[bridge]! || (this.bridges[bridge] = this.strings.intern(this.snapshot.bridges[bridge]!.name))
  }

  /** Code of an interface's name; 0 for interface 0. */
  device(item: number): number {
    if (item === 0) return 0
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

/** The same numbers, and room for more behind them. */
function longer(from: Uint32Array, least: number): Uint32Array {
  const to = new Uint32Array(least + (least >> 3))
  to.set(from)
  return to
}
