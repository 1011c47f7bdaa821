/**
 * Where records are observed: bridges and interfaces of the hosts, and what each bridge exports, as structs of arrays.
 * Index 0 is "not known" in each.
 */
import { LaneTable, type PackedLanes } from '../lanes.ts'
import { longerTimes, longerWords, newWords, touchPages } from '../memory.ts'
import { packTexts, textAt, type PackedTexts } from './texts.ts'

/** What reports the traffic of an interface; bits. A mirror covers the ports it selects, all others the whole bridge. */
export const REPORTS = {
  ipfix_ingress: 1,
  ipfix_egress: 2,
  netflow: 4,
  sflow: 8,
  mirror_source: 16,
  mirror_destination: 32,
} as const

/** What an interface of a bridge is. */
export const INTERFACE_KINDS = {
  unknown: 'a device that the model does not know',
  port: 'a Neutron port of a server, or another port that is an end',
  router: 'an internal port of a router (qr-, sg-, ha-)',
  gateway: 'an outer port of a router (qg-, fg-)',
  dhcp: 'a DHCP or metadata port',
  tunnel: 'a tunnel to another host',
  patch: 'a patch to another bridge',
  local: "the host's own: the bridge's internal port, or another one",
  uplink: 'a physical device, or one towards the outside',
  mirror_output: 'the output port of a mirror',
} as const
export type InterfaceKind = keyof typeof INTERFACE_KINDS
export const IF_KIND = Object.fromEntries(Object.keys(INTERFACE_KINDS).map((name, code) => [name, code])) as Readonly<
  Record<InterfaceKind, number>
>

export interface InterfaceFacts {
  name: string
  bridge: number
  host: number
  kind: InterfaceKind
  endpoint: number
  network: number
  ofport: number
  ifIndex: number
  /** Host at the other end of a tunnel, 0 when not known. */
  remoteHost: number
  /** Bytes a packet that leaves by this tunnel grows by, 0 when it is no tunnel. */
  overhead: number
  reports: number
  fromMs: number
  toMs: number
}

const KIND_NAMES = Object.keys(INTERFACE_KINDS) as InterfaceKind[]

const NO_INTERFACE: InterfaceFacts = {
  name: '',
  bridge: 0,
  host: 0,
  kind: 'unknown',
  endpoint: 0,
  network: 0,
  ofport: 0,
  ifIndex: 0,
  remoteHost: 0,
  overhead: 0,
  reports: 0,
  fromMs: 0,
  toMs: Number.MAX_VALUE,
}

const STRIDE_BITS = 3
const ENDPOINT = 1
const NETWORK = 2
const BRIDGE = 3
const HOST = 4
const REPORTS_AT = 5
const OFPORT = 6
const REMOTE_HOST = 7
/** Beside the reports: it holds for a span of time only. */
const SPANNED = 0x100

// What only names and edits ask for, apart, so that a look-up's line holds what look-ups need.
const MORE_BITS = 2
const IF_INDEX = 0
const OVERHEAD = 1
/** The interface that had the same name, or one of the same hash, on the host before. */
const BEFORE = 2
/** The interface by which the same endpoint was plugged before. */
const PLUGGED_BEFORE = 3

/** More than there are in the beginning. */
const FEW = 16

/** Memory of interfaces, from which a copy is made. */
export interface InterfaceMemory {
  fromMs: Float64Array
  toMs: Float64Array
  words: Int32Array
  more: Int32Array
  byName: PackedLanes
  used: number
  names: PackedTexts | undefined
}

/** All interfaces of a snapshot, eight words each: half a cache line. Immutable. */
export class Interfaces {
  /** Names, in a copy only those that came later, see `name`. */
  private readonly names: string[]
  /** Since when each holds; change them by `append` and `end` only. */
  fromMs: Float64Array
  toMs: Float64Array
  private words: Int32Array
  private more: Int32Array
  /** (host, hash of a name) → the last interface that has it. */
  private readonly byName: LaneTable
  private readonly packed: PackedTexts | undefined
  private used = 0
  /** Told of what `append` and `end` do, so that copies can follow. */
  onAppend: ((fact: InterfaceFacts) => void) | undefined
  onEnd: ((item: number, toMs: number) => void) | undefined
  onReports: ((item: number, reports: number) => void) | undefined

  constructor(memory: InterfaceMemory, names: string[] = []) {
    this.fromMs = memory.fromMs
    this.toMs = memory.toMs
    this.words = memory.words
    this.more = memory.more
    this.byName = LaneTable.unpack(memory.byName)
    this.used = memory.used
    this.packed = memory.names
    this.names = names
  }

  /** None but "not known", with room for so many more. */
  static withRoom(more: number): Interfaces {
    const room = more + 1
    const interfaces = new Interfaces(
      {
        fromMs: new Float64Array(room),
        toMs: new Float64Array(room),
        words: newWords(room << STRIDE_BITS),
        more: newWords(room << MORE_BITS),
        byName: new LaneTable(2, room).pack(),
        used: 0,
        names: undefined,
      },
      new Array<string>(room).fill(''),
    )
    interfaces.append(NO_INTERFACE)
    return interfaces
  }

  /** Before more than a few are in it: see touchPages. */
  *touchPages(): Generator<void, void> {
    yield* touchPages(this.words.subarray(FEW << STRIDE_BITS))
    yield* touchPages(this.more.subarray(FEW << MORE_BITS))
    yield* this.byName.touchPages()
  }

  /** Makes room for `more` while the snapshot is built; later there is no more than there is. */
  reserve(more: number): void {
    const room = this.used + more
    if (room <= this.room) return
    this.fromMs = longerTimes(this.fromMs, room)
    this.toMs = longerTimes(this.toMs, room)
    this.words = longerWords(this.words, room << STRIDE_BITS)
    this.more = longerWords(this.more, room << MORE_BITS)
  }

  /** What a copy is made of: the own memory, to be copied on the way, and the names, which copies share. */
  pack(): InterfaceMemory {
    const { fromMs, toMs, words, more, used } = this
    return { fromMs, toMs, words, more, byName: this.byName.pack(), used, names: packTexts(this.names, used) }
  }

  get count(): number {
    return this.used
  }

  name(item: number): string {
    return this.names[item] ?? textAt(this.packed, item)
  }

  /** How many there may ever be. */
  get room(): number {
    return this.fromMs.length
  }

  /** How many may still be added. */
  get free(): number {
    return this.room - this.used
  }

  /** Adds an interface behind the others, and gives its number; nobody knows of it until a snapshot is published after it. */
  append(fact: InterfaceFacts): number {
    this.onAppend?.(fact)
    if (this.used === this.room) this.reserve(this.room)
    const i = this.used++
    this.names[i] = fact.name
    const at = i << STRIDE_BITS
    this.fromMs[i] = fact.fromMs
    this.toMs[i] = fact.toMs
    const { words: own, more } = this
    own[at] = IF_KIND[fact.kind]
    own[at + ENDPOINT] = fact.endpoint
    own[at + NETWORK] = fact.network
    own[at + BRIDGE] = fact.bridge
    own[at + HOST] = fact.host
    const spanned = fact.fromMs > 0 || fact.toMs < Number.MAX_VALUE
    own[at + REPORTS_AT] = fact.reports | (spanned ? SPANNED : 0)
    own[at + OFPORT] = fact.ofport
    own[at + REMOTE_HOST] = fact.remoteHost
    more[(i << MORE_BITS) + IF_INDEX] = fact.ifIndex
    more[(i << MORE_BITS) + OVERHEAD] = fact.overhead
    if (fact.name !== '') {
      const hash = hashOf(fact.name)
      more[(i << MORE_BITS) + BEFORE] = this.byName.get2(fact.host, hash)
      this.byName.set2(fact.host, hash, i)
    }
    return i
  }

  /** The last interface of that name on the host, 0 when there is none. */
  named(host: number, name: string): number {
    return this.withName(name, this.byName.get2(host, hashOf(name)))
  }

  /** The interface that had the same name on the host before, 0 when none is known. */
  namedBefore(item: number): number {
    return this.withName(this.name(item), this.more[(item << MORE_BITS) + BEFORE]!)
  }

  private withName(name: string, item: number): number {
    while (item !== 0 && this.name(item) !== name) item = this.more[(item << MORE_BITS) + BEFORE]!
    return item
  }

  /** All of an interface, so that another like it can be added. */
  facts(item: number): InterfaceFacts {
    const more = item << MORE_BITS
    return {
      name: this.name(item),
      bridge: this.bridge(item),
      host: this.host(item),
      kind: KIND_NAMES[this.kind(item)]!,
      endpoint: this.endpoint(item),
      network: this.network(item),
      ofport: this.ofport(item),
      ifIndex: this.more[more + IF_INDEX]!,
      remoteHost: this.remoteHost(item),
      overhead: this.more[more + OVERHEAD]!,
      reports: this.reports(item),
      fromMs: this.fromMs[item]!,
      toMs: this.toMs[item]!,
    }
  }

  /** Notes by which interface its endpoint was plugged before. */
  follow(item: number, before: number): void {
    this.more[(item << MORE_BITS) + PLUGGED_BEFORE] = before
  }

  /** The interface by which its endpoint was plugged before, 0 when there is none. Not told to copies. */
  pluggedBefore(item: number): number {
    return this.more[(item << MORE_BITS) + PLUGGED_BEFORE]!
  }

  /** This reports it too. */
  addReports(item: number, reports: number): void {
    this.onReports?.(item, reports)
    this.words[(item << STRIDE_BITS) + REPORTS_AT]! |= reports
  }

  /** It holds until `toMs`, no longer. */
  end(item: number, toMs: number): void {
    this.onEnd?.(item, toMs)
    this.toMs[item] = toMs
    this.words[(item << STRIDE_BITS) + REPORTS_AT]! |= SPANNED
  }

  /** It never held: others are in its place. */
  void(item: number): void {
    this.end(item, 0)
  }

  isVoid(item: number): boolean {
    return this.toMs[item] === 0
  }

  /** Whether it holds at a time. */
  holds(item: number, atMs: number): boolean {
    return !this.isSpanned(item) || (this.fromMs[item]! <= atMs && atMs < this.toMs[item]!)
  }

  /** Whether it holds for a span of time only. */
  isSpanned(item: number): boolean {
    return (this.words[(item << STRIDE_BITS) + REPORTS_AT]! & SPANNED) !== 0
  }

  /** Reads `n` interfaces, for the cache's sake (see lanes.ts); numbers below 0 are none. */
  touch(items: Int32Array, n: number): number {
    const { words } = this
    let sum = 0
    for (let i = 0; i < n; i++) sum += words[Math.max(0, items[i]!) << STRIDE_BITS]!
    return sum
  }

  /** A code of IF_KIND. */
  kind(item: number): number {
    return this.words[item << STRIDE_BITS]!
  }

  /** Whose port it is, 0 when it is no port. */
  endpoint(item: number): number {
    return this.words[(item << STRIDE_BITS) + ENDPOINT]!
  }

  network(item: number): number {
    return this.words[(item << STRIDE_BITS) + NETWORK]!
  }

  bridge(item: number): number {
    return this.words[(item << STRIDE_BITS) + BRIDGE]!
  }

  host(item: number): number {
    return this.words[(item << STRIDE_BITS) + HOST]!
  }

  /** Bits of REPORTS. */
  reports(item: number): number {
    return this.words[(item << STRIDE_BITS) + REPORTS_AT]! & 0xff
  }

  ofport(item: number): number {
    return this.words[(item << STRIDE_BITS) + OFPORT]!
  }

  /** Host at the other end of a tunnel, 0 when not known. */
  remoteHost(item: number): number {
    return this.words[(item << STRIDE_BITS) + REMOTE_HOST]!
  }
}

/** FNV-1a. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash | 0
}

/** What a bridge exports, as its OVSDB says. */
export interface Bridge {
  readonly name: string
  readonly host: number
  /** The userspace datapath, whose NetFlow counts the outer header of native tunnels. */
  readonly userspace: boolean
  readonly netflow: { engineType: number; engineId: number; addId: boolean } | undefined
  readonly ipfix: { domain: number; point: number; virtualObsId: string; rate: number } | undefined
}

export interface Mirror {
  readonly name: string
  readonly host: number
  readonly bridge: number
  /** Key of the tunnel the copies leave by: GRE key, ERSPAN session, VNI; 0 = none. */
  readonly key: number
  /** The tunnel interface that the copies leave by. */
  readonly output: number
  /** Bytes a copy grows by there, 0 when that is not known. */
  readonly overhead: number
  readonly selectAll: boolean
  readonly source: ReadonlySet<number>
  readonly destination: ReadonlySet<number>
  /** The interface, when exactly one is selected, else 0. */
  readonly only: number
}

export interface Host {
  readonly name: string
  readonly endpoint: number
  /** Whether its OVSDB has been read. */
  readonly ovs: boolean
  /** Under OVN a VNI is a datapath's tunnel key, not a network's segmentation id. */
  readonly ovn: boolean
  readonly bridges: readonly number[]
  readonly netflowBridges: readonly number[]
  readonly mirrors: readonly number[]
  /** Whether a router has a port here, so that a tunnel brings packets for addresses elsewhere. */
  readonly routers: boolean
  /** REPORTS of the bridge that holds this host's servers, for a port that is not plugged yet. */
  readonly reports: number
  /** Bytes that a tunnel to each other host adds, by host; under 0 for hosts that a flow-based tunnel leads to. */
  readonly tunnels: ReadonlyMap<number, number>
}
