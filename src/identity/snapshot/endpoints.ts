/**
 * Endpoints: everything an end of a flow can be, as a struct of arrays. An endpoint is one Neutron port (or a floating IP
 * that no port has, a host, the outside) for as long as its identity holds: a port that changes becomes another endpoint,
 * so a record is resolved as of its own time by `fromMs`/`toMs`. Index 0 is "not known".
 */
import type { Lanes, Mac } from '../addresses.ts'
import { longerTimes, longerWords, newWords, touchPages } from '../memory.ts'
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
  /** Small number of the server, 0 = none. */
  server?: number
  mac?: Mac | undefined
  addresses?: readonly Lanes[]
  /** OVSDB alone knows the port so far: its addresses, and perhaps its project, are still to come. */
  provisional?: boolean
  fromMs?: number
  toMs?: number
}

/** What may change of an endpoint that stays the same. */
export interface ChangedFacts {
  kind?: EndpointKind
  project?: number
  trunk?: true
  host?: number
  hostName?: string
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
/** Last interface that it was plugged by. */
const PLUGGED = 12
const SERVER = 13
// Beside the reports, in their word.
const REPORTS_KNOWN = 0x100
/** It holds for a span of time only. Most do not, and then the times, two more cache lines, need not be looked at. */
const SPANNED = 0x200
/** It is the parent of a trunk, so that what comes by its interface may be a subport's. */
const TRUNK = 0x400
/** See EndpointFacts. */
const PROVISIONAL = 0x800

const HOST_NAME = TEXTS.indexOf('host')

/** More than there are in the beginning. */
const FEW = 16

/** Memory of endpoints, from which a copy is made. */
export interface EndpointMemory {
  fromMs: Float64Array
  toMs: Float64Array
  words: Int32Array
  used: number
  texts: PackedTexts | undefined
}

/** Endpoints that every snapshot has. */
const RESERVED: readonly EndpointFacts[] = [
  { kind: 'unknown', texts: {} },
  { kind: 'external', texts: {} },
  { kind: 'group', texts: {} },
  { kind: 'dhcp', texts: {} },
]

/** All endpoints of a snapshot; immutable once the snapshot is built. Addresses and MACs are signed words, see lanes.ts. */
export class Endpoints {
  /** Since when each holds; change them by `append` and `end` only. */
  fromMs: Float64Array
  toMs: Float64Array
  /** TEXTS.length strings an endpoint; in a copy only those that came later, see `text`. */
  private readonly texts: string[]
  private words: Int32Array
  private readonly packed: PackedTexts | undefined
  private used = 0

  constructor(memory: EndpointMemory, texts: string[] = []) {
    this.fromMs = memory.fromMs
    this.toMs = memory.toMs
    this.words = memory.words
    this.used = memory.used
    this.packed = memory.texts
    this.texts = texts
  }

  /** Those that every snapshot has, with room for so many more. */
  static withRoom(more: number): Endpoints {
    const room = RESERVED.length + more
    const endpoints = new Endpoints({
      fromMs: new Float64Array(room),
      toMs: new Float64Array(room),
      words: newWords(room << STRIDE_BITS),
      used: 0,
      texts: undefined,
    })
    for (const fact of RESERVED) endpoints.append(fact)
    return endpoints
  }

  /** Before more than a few are in it: see touchPages. */
  *touchPages(): Generator<void, void> {
    yield* touchPages(this.words.subarray(FEW << STRIDE_BITS))
  }

  /** Makes room for `more` while the snapshot is built; later there is no more than there is. */
  reserve(more: number): void {
    const room = this.used + more
    if (room <= this.room) return
    this.fromMs = longerTimes(this.fromMs, room)
    this.toMs = longerTimes(this.toMs, room)
    this.words = longerWords(this.words, room << STRIDE_BITS)
  }

  /** What a copy is made of: the own memory, to be copied on the way, and the texts, which copies share. */
  pack(): EndpointMemory {
    const { fromMs, toMs, words, used } = this
    return { fromMs, toMs, words, used, texts: packTexts(this.texts, used * TEXTS.length) }
  }

  /** One of TEXTS, by its place there. */
  text(endpoint: number, which: number): string {
    const at = endpoint * TEXTS.length + which
    return this.texts[at] ?? textAt(this.packed, at)
  }

  /** Changes one of TEXTS of what is there. */
  setText(endpoint: number, which: number, text: string): void {
    this.texts[endpoint * TEXTS.length + which] = text
    this.changed.push(endpoint)
    this.onText?.(endpoint, which, text)
  }

  /** Told of what `append`, `end`, `addReports` and `setText` do, so that copies can follow. */
  onAppend: ((fact: EndpointFacts) => void) | undefined
  onEnd: ((endpoint: number, toMs: number) => void) | undefined
  onReports: ((endpoint: number, reports: number, instead: boolean) => void) | undefined
  onFacts: ((endpoint: number, facts: ChangedFacts) => void) | undefined
  onText: ((endpoint: number, which: number, text: string) => void) | undefined

  /** Endpoints changed since the snapshot was built, in the order of the changes: who keeps answers looks here. */
  readonly changed: number[] = []

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

  /** Adds an endpoint behind the others, and gives its number; nobody knows of it until a snapshot is published after it. */
  append(fact: EndpointFacts): number {
    this.onAppend?.(fact)
    if (this.used === this.room) this.reserve(this.room)
    const i = this.used++
    const at = i << STRIDE_BITS
    const { fromMs = 0, toMs = Number.MAX_VALUE, texts, mac } = fact
    this.fromMs[i] = fromMs
    this.toMs[i] = toMs
    this.putTexts(i * TEXTS.length, texts)
    const own = this.words
    own[at] = KIND[fact.kind]
    own[at + NETWORK] = fact.network ?? 0
    own[at + HOST] = fact.host ?? 0
    own[at + ROUTER] = fact.router ?? 0
    own[at + PROJECT] = fact.project ?? 0
    own[at + SERVER] = fact.server ?? 0
    if (mac !== undefined) {
      own[at + MAC_HIGH] = mac.high
      own[at + MAC_LOW] = mac.low
    }
    const address = fact.addresses?.[0]
    if (address !== undefined) for (let lane = 0; lane < 4; lane++) own[at + ADDRESS + lane] = address[lane]!
    if (fromMs > 0 || toMs < Number.MAX_VALUE) own[at + REPORTS]! |= SPANNED
    if (fact.provisional === true) own[at + REPORTS]! |= PROVISIONAL
    return i
  }

  /** In the order of TEXTS, behind those that are there. */
  private putTexts(at: number, from: EndpointTexts): void {
    const { texts } = this
    texts[at] = from.project_id ?? ''
    texts[at + 1] = from.project ?? ''
    texts[at + 2] = from.network_id ?? ''
    texts[at + 3] = from.network ?? ''
    texts[at + 4] = from.server_id ?? ''
    texts[at + 5] = from.server ?? ''
    texts[at + 6] = from.port_id ?? ''
    texts[at + 7] = from.port ?? ''
    texts[at + 8] = from.host ?? ''
    texts[at + 9] = from.router_id ?? ''
  }

  /** It holds until `toMs`, no longer. */
  end(endpoint: number, toMs: number): void {
    this.onEnd?.(endpoint, toMs)
    this.changed.push(endpoint)
    this.toMs[endpoint] = toMs
    this.words[(endpoint << STRIDE_BITS) + REPORTS]! |= SPANNED
  }

  /** It is plugged by another interface; the one by which it was plugged before, 0 when there is none. */
  plug(endpoint: number, item: number): number {
    const at = (endpoint << STRIDE_BITS) + PLUGGED
    const before = this.words[at]!
    this.words[at] = item
    return before
  }

  /** The last interface that it was plugged by, 0 when there is none. Not told to copies. */
  lastPlug(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + PLUGGED]!
  }

  /** It stays the same endpoint, but some of it is different. */
  change(endpoint: number, facts: ChangedFacts): void {
    this.onFacts?.(endpoint, facts)
    this.changed.push(endpoint)
    const at = endpoint << STRIDE_BITS
    if (facts.kind !== undefined) this.words[at] = KIND[facts.kind]
    if (facts.project !== undefined) this.words[at + PROJECT] = facts.project
    if (facts.trunk === true) this.markTrunk(endpoint)
    if (facts.host !== undefined) this.move(endpoint, facts.host, facts.hostName ?? '')
  }

  /** While the snapshot is built: it is on another host than was thought. */
  move(endpoint: number, host: number, name: string): void {
    this.words[(endpoint << STRIDE_BITS) + HOST] = host
    this.texts[endpoint * TEXTS.length + HOST_NAME] = name
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

  server(endpoint: number): number {
    return this.words[(endpoint << STRIDE_BITS) + SERVER]!
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
    const own = this.words
    const at = (endpoint << STRIDE_BITS) + ADDRESS
    return own[at + 3] === a3 && own[at + 2] === a2 && own[at + 1] === a1 && own[at] === a0
  }

  hasAddress(endpoint: number): boolean {
    return (
      this.words[(endpoint << STRIDE_BITS) + ADDRESS + 2] !== 0 || this.words[(endpoint << STRIDE_BITS) + ADDRESS] !== 0
    )
  }

  /** Four lanes of the first address, all zero when there is none. */
  firstAddress(endpoint: number): Int32Array {
    const at = (endpoint << STRIDE_BITS) + ADDRESS
    return this.words.subarray(at, at + 4)
  }

  /** Adds what reports the endpoint. */
  addReports(endpoint: number, reports: number): void {
    this.onReports?.(endpoint, reports, false)
    this.changed.push(endpoint)
    this.setReports(endpoint, reports)
  }

  /** What reports the endpoint is this, and nothing else any more. */
  replaceReports(endpoint: number, reports: number): void {
    this.onReports?.(endpoint, reports, true)
    this.changed.push(endpoint)
    this.words[(endpoint << STRIDE_BITS) + REPORTS]! &= ~0xff
    this.setReports(endpoint, reports)
  }

  /** The same while the snapshot is built, when nobody keeps answers yet. */
  setReports(endpoint: number, reports: number): void {
    this.words[(endpoint << STRIDE_BITS) + REPORTS]! |= reports | REPORTS_KNOWN
  }
}
