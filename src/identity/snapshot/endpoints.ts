/**
 * Endpoints: everything an end of a flow can be, as a struct of arrays. An endpoint is one Neutron port (or a floating IP
 * that no port has, a host, the outside) for as long as its identity holds: a port that changes becomes another endpoint,
 * so a record is resolved as of its own time by `fromMs`/`toMs`. Index 0 is "not known".
 */
import type { Lanes, Mac } from '../addresses.ts'
import { SLICE, type Slices } from './slices.ts'
import { packTexts, textAt, type PackedTexts } from './texts.ts'

/** What an endpoint is. The names are those of END_KIND in the schema. */
export const ENDPOINT_KINDS = [
  'unknown',
  'server',
  'router',
  'dhcp',
  'floating',
  'snat',
  'infrastructure',
  'external',
  'group',
  'other',
] as const
export type EndpointKind = (typeof ENDPOINT_KINDS)[number]
export const KIND = Object.fromEntries(ENDPOINT_KINDS.map((name, code) => [name, code])) as Readonly<
  Record<EndpointKind, number>
>

/** Endpoints that every snapshot has. */
export const EXTERNAL = 1
export const GROUP = 2
export const METADATA = 3

/** Names of an endpoint, in the order of `TEXTS`. */
export const TEXTS = [
  'project_id',
  'project',
  'network_id',
  'network',
  'server_id',
  'server',
  'port_id',
  'port',
  'host',
  'router_id',
] as const
export type EndpointTexts = Partial<Record<(typeof TEXTS)[number], string>>

export interface EndpointFacts {
  kind: EndpointKind
  texts: EndpointTexts
  network?: number
  host?: number
  router?: number
  /** Small number of the project, 0 = none. */
  project?: number
  mac?: Mac | undefined
  addresses?: readonly Lanes[]
  /** OVSDB alone knows the port so far: its addresses, and perhaps its project, are still to come. */
  provisional?: boolean
  fromMs?: number
  toMs?: number
}

// One endpoint is one cache line of sixteen words, so that a lookup costs one miss and not one a field. Measured with
// 200,000 ports: twice the rows a second of one array a field.
const STRIDE_BITS = 4
const NETWORK = 1
const HOST = 2
const ROUTER = 3
const PROJECT = 4
const MAC_HIGH = 5
const MAC_LOW = 6
const REPORTS = 7
const ADDRESS = 8
// Beside the reports, in their word.
const REPORTS_KNOWN = 0x100
/** It holds for a span of time only. Most do not, and then the times, two more cache lines, need not be looked at. */
const SPANNED = 0x200
/** It is the parent of a trunk, so that what comes by its interface may be a subport's. */
const TRUNK = 0x400
/** See EndpointFacts. */
const PROVISIONAL = 0x800

/** Memory of endpoints, from which a copy is made. */
export interface EndpointMemory {
  fromMs: Float64Array
  toMs: Float64Array
  words: Int32Array
  used: number
  texts: PackedTexts | undefined
}

/** All endpoints of a snapshot; immutable once the snapshot is built. Addresses and MACs are signed words, see lanes.ts. */
export class Endpoints {
  /** Since when each holds; change them by `append` and `end` only. */
  readonly fromMs: Float64Array
  readonly toMs: Float64Array
  /** TEXTS.length strings an endpoint; in a copy only those that came later, see `text`. */
  private readonly texts: string[] = []
  private readonly words: Int32Array
  private readonly packed: PackedTexts | undefined
  private used = 0

  constructor(memory: EndpointMemory) {
    this.fromMs = memory.fromMs
    this.toMs = memory.toMs
    this.words = memory.words
    this.used = memory.used
    this.packed = memory.texts
  }

  /** `spare` is how many may be added later. */
  static of(facts: readonly EndpointFacts[], spare = 0): Endpoints {
    const room = facts.length + spare
    const endpoints = new Endpoints({
      fromMs: new Float64Array(room),
      toMs: new Float64Array(room),
      words: new Int32Array(room << STRIDE_BITS),
      used: 0,
      texts: undefined,
    })
    for (const fact of facts) endpoints.append(fact)
    return endpoints
  }

  /** What a copy is made of: the own memory, to be copied on the way, and the texts, which copies share. */
  pack(): EndpointMemory {
    const { fromMs, toMs, words, used } = this
    return { fromMs, toMs, words, used, texts: packTexts(this.texts) }
  }

  /** One of TEXTS, by its place there. */
  text(endpoint: number, which: number): string {
    const at = endpoint * TEXTS.length + which
    return this.texts[at] ?? textAt(this.packed, at)
  }

  /** Changes one of TEXTS of what is there. */
  setText(endpoint: number, which: number, text: string): void {
    this.texts[endpoint * TEXTS.length + which] = text
    this.onText?.(endpoint, which, text)
  }

  /** Told of what `append`, `end`, `addReports` and `setText` do, so that copies can follow. */
  onAppend: ((fact: EndpointFacts) => void) | undefined
  onEnd: ((endpoint: number, toMs: number) => void) | undefined
  onReports: ((endpoint: number, reports: number) => void) | undefined
  onText: ((endpoint: number, which: number, text: string) => void) | undefined

  get count(): number {
    return this.used
  }

  /** How many there may ever be. */
  get room(): number {
    return this.fromMs.length
  }

  /** How many may still be added. */
  get free(): number {
    return this.room - this.used
  }

  /** Adds an endpoint behind the others; nobody knows of it until a snapshot is published after it. */
  append(fact: EndpointFacts): void {
    this.onAppend?.(fact)
    const i = this.used++
    const at = i << STRIDE_BITS
    const { fromMs = 0, toMs = Number.MAX_VALUE } = fact
    this.fromMs[i] = fromMs
    this.toMs[i] = toMs
    for (const [which, name] of TEXTS.entries()) this.texts[i * TEXTS.length + which] = fact.texts[name] ?? ''
    this.words[at] = KIND[fact.kind]
    this.words[at + NETWORK] = fact.network ?? 0
    this.words[at + HOST] = fact.host ?? 0
    this.words[at + ROUTER] = fact.router ?? 0
    this.words[at + PROJECT] = fact.project ?? 0
    this.words[at + MAC_HIGH] = fact.mac?.high ?? 0
    this.words[at + MAC_LOW] = fact.mac?.low ?? 0
    const [address] = fact.addresses ?? []
    if (address !== undefined) this.words.set(address, at + ADDRESS)
    if (fromMs > 0 || toMs < Number.MAX_VALUE) this.words[at + REPORTS]! |= SPANNED
    if (fact.provisional === true) this.words[at + REPORTS]! |= PROVISIONAL
  }

  /** It holds until `toMs`, no longer. */
  end(endpoint: number, toMs: number): void {
    this.onEnd?.(endpoint, toMs)
    this.toMs[endpoint] = toMs
    this.words[(endpoint << STRIDE_BITS) + REPORTS]! |= SPANNED
  }

  /** While the snapshot is built: it is the parent of a trunk. */
  markTrunk(endpoint: number): void {
    this.words[(endpoint << STRIDE_BITS) + REPORTS]! |= TRUNK
  }

  /** Whether it holds at a time. */
  holds(endpoint: number, atMs: number): boolean {
    if ((this.words[(endpoint << STRIDE_BITS) + REPORTS]! & SPANNED) === 0) return true
    return this.fromMs[endpoint]! <= atMs && atMs < this.toMs[endpoint]!
  }

  /** Whether it always holds, is no trunk's parent and not provisional, so that nothing but its number needs to be known. */
  isPlain(endpoint: number): boolean {
    return (this.words[(endpoint << STRIDE_BITS) + REPORTS]! & (SPANNED | TRUNK | PROVISIONAL)) === 0
  }

  /** Whether OVSDB alone knows the port so far. */
  isProvisional(endpoint: number): boolean {
    return (this.words[(endpoint << STRIDE_BITS) + REPORTS]! & PROVISIONAL) !== 0
  }

  /** Reads `n` endpoints, for the cache's sake (see lanes.ts); numbers below 0 are none. */
  touch(endpoints: Int32Array, n: number): number {
    const { words } = this
    let sum = 0
    for (let i = 0; i < n; i++) sum += words[Math.max(0, endpoints[i]!) << STRIDE_BITS]!
    return sum
  }

  /** A code of KIND. */
  kind(endpoint: number): number {
    return this.words[endpoint << STRIDE_BITS]!
  }

  network(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + NETWORK]!
  }

  host(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + HOST]!
  }

  router(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + ROUTER]!
  }

  project(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + PROJECT]!
  }

  macHigh(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + MAC_HIGH]!
  }

  macLow(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + MAC_LOW]!
  }

  /** Bits of REPORTS: what reports this endpoint's traffic at its own interface. */
  reports(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + REPORTS]! & 0xff
  }

  /** Whether `reports` comes from OVSDB; if not, it has to be learned from what arrives. */
  reportsKnown(endpoint: number): boolean {
    return (this.words[(endpoint << STRIDE_BITS) + REPORTS]! & REPORTS_KNOWN) !== 0
  }

  /** Whether it is the endpoint's first address; most ports have no other. */
  isFirstAddress(endpoint: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const { words } = this
    const at = (endpoint << STRIDE_BITS) + ADDRESS
    return words[at + 3] === a3 && words[at + 2] === a2 && words[at + 1] === a1 && words[at] === a0
  }

  /** Four lanes of the first address, all zero when there is none. */
  firstAddress(endpoint: number): Int32Array {
    const at = (endpoint << STRIDE_BITS) + ADDRESS
    return this.words.subarray(at, at + 4)
  }

  /** While the snapshot is built: adds what reports the endpoint. */
  addReports(endpoint: number, reports: number): void {
    this.onReports?.(endpoint, reports)
    this.words[(endpoint << STRIDE_BITS) + REPORTS]! |= reports | REPORTS_KNOWN
  }
}

/** Gathers endpoints and freezes them into arrays. */
export class EndpointBuilder {
  readonly facts: EndpointFacts[] = [
    { kind: 'unknown', texts: {} },
    { kind: 'external', texts: {} },
    { kind: 'group', texts: {} },
    { kind: 'dhcp', texts: {} },
  ]

  add(facts: EndpointFacts): number {
    this.facts.push(facts)
    return this.facts.length - 1
  }

  /** Gives way between slices, see slices.ts. */
  *build(spare = 0): Slices<Endpoints> {
    const endpoints = Endpoints.of([], this.facts.length + spare)
    for (const [i, fact] of this.facts.entries()) {
      endpoints.append(fact)
      if (i % SLICE === 0) yield
    }
    return endpoints
  }
}
