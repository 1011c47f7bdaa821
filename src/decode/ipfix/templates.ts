/**
 * Templates by exporter, port, domain and id, in arrays (about 70 bytes a template): ten thousand hosts with two bridges have two
 * million of them.
 *
 * RFC 7011 §8: a template belongs to a transport session and an observation domain. OVS breaks that in three ways (it changes
 * its port on reconfiguration; before 3.2 it sends templates for one domain only; it sends them every ten minutes), so
 * a template not found is looked for under (exporter, domain) and then, among those of OVS, under (exporter), newest first; what
 * such a template decodes must fill its set exactly.
 *
 * Bounds: templates in all, templates of an exporter, layouts. What goes is found by a clock hand: entries used since it last passed
 * stay, so that a flood of templates without data displaces itself first.
 */
import { hash4, KeyIndex } from './key-index.ts'
import { LAYOUT_KIND, Layouts, type Layout } from './layouts.ts'
import type { Version } from './template.ts'

export interface TemplateLimits {
  /** Templates held in all. */
  readonly maxTemplates: number
  /** Templates held of one exporter. OVN sends 88 for every observation domain. */
  readonly maxTemplatesPerExporter: number
  /** Fields of a template. */
  readonly maxFields: number
  /** Different layouts held. */
  readonly maxLayouts: number
}

export const TEMPLATE_LIMITS: TemplateLimits = {
  maxTemplates: 262_144,
  maxTemplatesPerExporter: 16_384,
  maxFields: 512,
  maxLayouts: 1024,
}

/** A template as it can be written down and learned again. */
export interface SavedTemplate {
  /** Dense number of the source address, see `Datagram.exporterId`. */
  readonly exporterId: number
  readonly exporterPort: number
  readonly domain: number
  readonly version: Version
  readonly id: number
  /** See `Spec`. */
  readonly scopes: number
  readonly fields: string
}

/** How a template was found. */
export const FOUND_BY = { session: 0, domain: 1, exporter: 2 } as const

/** Words of a key. Exporter and id come first and last: all indexes use them. */
const EXPORTER = 0
const DOMAIN = 1
/** Exporter's port * 16 + version. */
const SESSION = 2
const ID = 3
const WORDS = 4
/** Entry that holds the key looked for. */
const PROBE = 0

const GONE = LAYOUT_KIND.gone
const BY_SESSION = FOUND_BY.session

export class Templates {
  readonly limits: TemplateLimits
  readonly layouts: Layouts
  evicted = 0
  /** How the last `find` found: a value of FOUND_BY. */
  foundBy: number = FOUND_BY.session
  size = 0

  private keys = new Uint32Array(64 * WORDS)
  /** Used since the clock hand last passed. */
  private used = new Uint8Array(64)
  /** Ring of the entries of one exporter. */
  private next = new Int32Array(64)
  private previous = new Int32Array(64)
  private readonly layout: (Layout | undefined)[] = [undefined]
  /** First entry never used, and those given back. */
  private fresh = 1
  private readonly free: number[] = []
  private hand = 1
  /** By exporter: an entry of its ring (its clock hand), and how many there are. */
  private readonly rings = new Map<number, { hand: number; count: number }>()

  private readonly bySession = new KeyIndex(
    (entry) => this.hash(FOUND_BY.session, entry),
    (a, b) =>
      this.isSame(a, b, SESSION) && this.isSame(a, b, DOMAIN) && this.isSame(a, b, ID) && this.isSame(a, b, EXPORTER),
  )
  private readonly byDomain = new KeyIndex(
    (entry) => this.hash(FOUND_BY.domain, entry),
    (a, b) =>
      this.isSameVersion(a, b) && this.isSame(a, b, DOMAIN) && this.isSame(a, b, ID) && this.isSame(a, b, EXPORTER),
  )
  private readonly byExporter = new KeyIndex(
    (entry) => this.hash(FOUND_BY.exporter, entry),
    (a, b) => this.isSameVersion(a, b) && this.isSame(a, b, ID) && this.isSame(a, b, EXPORTER),
  )

  /** `onEvict` is told of layouts that go. */
  constructor(limits: Partial<TemplateLimits> = {}, onEvict: (layout: Layout) => void = () => {}) {
    this.limits = { ...TEMPLATE_LIMITS, ...limits }
    this.layouts = new Layouts(this.limits.maxLayouts, onEvict)
  }

  /** What `find` and `learn` are for from now on: the session and domain of a message. `domain` is taken modulo 2^32. */
  select(exporterId: number, exporterPort: number, domain: number, version: Version): void {
    this.keys[EXPORTER] = exporterId
    this.keys[DOMAIN] = domain
    this.keys[SESSION] = exporterPort * 16 + version
  }

  /** The layout that template `id` gives; how it was found is in `foundBy`. No allocation. */
  find(id: number): Layout | undefined {
    const { keys } = this
    const { slots } = this.bySession
    const mask = slots.length - 1
    keys[ID] = id
    const exporter = keys[EXPORTER]! | 0
    const domain = keys[DOMAIN]! | 0
    const session = keys[SESSION]! | 0
    // KeyIndex.find, written out: a third of the time, and this is done for every message of OVS.
    for (let slot = hash4(exporter, domain, session, id) & mask; ; slot = (slot + 1) & mask) {
      const entry = (slots[slot]! - 1) | 0
      if (entry < 0) return this.fallBack()
      const at = entry << 2
      if (keys[at + ID] !== id || (keys[at + SESSION]! | 0) !== session) continue
      if ((keys[at + DOMAIN]! | 0) !== domain || (keys[at + EXPORTER]! | 0) !== exporter) continue
      return this.use(entry, BY_SESSION) ?? this.fallBack()
    }
  }

  /** The last `find` found, by fall-back, what does not fit: it is not to be found that way again. */
  forget(): void {
    if (this.foundBy === FOUND_BY.session) return
    const index = this.foundBy === FOUND_BY.domain ? this.byDomain : this.byExporter
    const entry = index.find(this.hash(this.foundBy, PROBE), PROBE)
    if (entry >= 0) index.delete(entry)
  }

  /**
   * Learns template `id` of what was selected, or refreshes it. `bytes[start .. end)` are its field specifiers. A template of the same
   * id is replaced, whatever its kind.
   */
  learn(id: number, scopes: number, bytes: Uint8Array, start: number, end: number): void {
    this.keys[ID] = id
    const known = this.bySession.find(this.hash(FOUND_BY.session, PROBE), PROBE)
    const layout = known < 0 ? undefined : this.layout[known]
    if (
      layout !== undefined &&
      layout.kind !== GONE &&
      layout.spec.scopes === scopes &&
      sameText(layout.spec.fields, bytes, start, end)
    ) {
      layout.used = true
      this.makeNewest(known)
    } else {
      const fields = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
      const version = (this.keys[SESSION]! % 16) as Version
      this.put(known, this.layouts.intern({ version, scopes, fields }))
    }
  }

  /** All templates, to write them down. */
  *entries(): Generator<SavedTemplate> {
    for (let entry = 1; entry < this.fresh; entry++) {
      const layout = this.layout[entry]
      if (layout === undefined || layout.kind === GONE) continue
      const [exporterId = 0, domain = 0, session = 0, id = 0] = this.keys.subarray(entry * WORDS, (entry + 1) * WORDS)
      const { version, scopes, fields } = layout.spec
      yield { exporterId, exporterPort: Math.floor(session / 16), domain, version, id, scopes, fields }
    }
  }

  /** Learns what `entries` gave. */
  restore(saved: SavedTemplate): void {
    const bytes = Buffer.from(saved.fields, 'latin1')
    this.select(saved.exporterId, saved.exporterPort, saved.domain, saved.version)
    this.learn(saved.id, saved.scopes, bytes, 0, bytes.length)
  }

  private fallBack(): Layout | undefined {
    const inDomain = this.byDomain.find(this.hash(FOUND_BY.domain, PROBE), PROBE)
    const found = inDomain < 0 ? undefined : this.use(inDomain, FOUND_BY.domain)
    if (found !== undefined) return found
    const elsewhere = this.byExporter.find(this.hash(FOUND_BY.exporter, PROBE), PROBE)
    const layout = elsewhere < 0 ? undefined : this.use(elsewhere, FOUND_BY.exporter)
    return layout?.ovs === true ? layout : undefined
  }

  private use(entry: number, by: number): Layout | undefined {
    const layout = this.layout[entry]!
    if (layout.kind === GONE) {
      this.remove(entry)
      return undefined
    }
    this.foundBy = by
    this.used[entry] = 1
    layout.used = true
    return layout
  }

  /** Of several sessions, the one heard last is the one to fall back to. */
  private makeNewest(entry: number): void {
    this.byDomain.set(entry)
    this.byExporter.set(entry)
  }

  private put(known: number, layout: Layout): void {
    const entry = known < 0 ? this.take(this.keys[EXPORTER]!) : known
    this.layout[entry] = layout
    this.used[entry] = 0
    if (known < 0) {
      this.keys.copyWithin(entry * WORDS, PROBE, WORDS)
      this.bySession.set(entry)
    }
    this.makeNewest(entry)
  }

  /** A free entry in the ring of an exporter, made room for if need be. */
  private take(exporterId: number): number {
    const ring = this.rings.get(exporterId)
    if (ring !== undefined && ring.count >= this.limits.maxTemplatesPerExporter) this.evictOf(ring)
    else if (this.size >= this.limits.maxTemplates) this.evict()
    const entry = this.free.pop() ?? this.fresh++
    if (entry >= this.used.length) this.grow()
    this.size++
    this.enter(exporterId, entry)
    return entry
  }

  private enter(exporterId: number, entry: number): void {
    const ring = this.rings.get(exporterId)
    if (ring === undefined) {
      this.next[entry] = entry
      this.previous[entry] = entry
      this.rings.set(exporterId, { hand: entry, count: 1 })
      return
    }
    // Before the hand: the last that it meets.
    const after = ring.hand
    const before = this.previous[after]!
    this.next[before] = entry
    this.previous[entry] = before
    this.next[entry] = after
    this.previous[after] = entry
    ring.count++
  }

  private evict(): void {
    for (;;) {
      if (this.hand >= this.fresh) this.hand = 1
      const entry = this.hand++
      if (this.layout[entry] === undefined) continue
      if (this.used[entry] === 0) return this.evictEntry(entry)
      this.used[entry] = 0
    }
  }

  private evictOf(ring: { hand: number }): void {
    for (;;) {
      const entry = ring.hand
      ring.hand = this.next[entry]!
      if (this.used[entry] === 0) return this.evictEntry(entry)
      this.used[entry] = 0
    }
  }

  private evictEntry(entry: number): void {
    this.remove(entry)
    this.evicted++
  }

  private remove(entry: number): void {
    this.bySession.delete(entry)
    this.byDomain.delete(entry)
    this.byExporter.delete(entry)
    this.layout[entry] = undefined
    this.used[entry] = 0
    this.size--
    this.free.push(entry)
    const exporterId = this.keys[entry * WORDS + EXPORTER]!
    const ring = this.rings.get(exporterId)!
    if (--ring.count === 0) return void this.rings.delete(exporterId)
    const [before, after] = [this.previous[entry]!, this.next[entry]!]
    this.next[before] = after
    this.previous[after] = before
    if (ring.hand === entry) ring.hand = after
  }

  private hash(by: number, entry: number): number {
    const { keys } = this
    const at = entry * WORDS
    const domain = by === FOUND_BY.exporter ? 0 : keys[at + DOMAIN]!
    const session = by === FOUND_BY.session ? keys[at + SESSION]! : keys[at + SESSION]! % 16
    return hash4(keys[at + EXPORTER]!, domain, session, keys[at + ID]!)
  }

  private isSame(a: number, b: number, word: number): boolean {
    return this.keys[a * WORDS + word] === this.keys[b * WORDS + word]
  }

  private isSameVersion(a: number, b: number): boolean {
    return this.keys[a * WORDS + SESSION]! % 16 === this.keys[b * WORDS + SESSION]! % 16
  }

  private grow(): void {
    const grown = <A extends Uint8Array | Uint32Array | Int32Array>(array: A): A => {
      const larger = new (array.constructor as new (length: number) => A)(array.length * 2)
      larger.set(array)
      return larger
    }
    this.keys = grown(this.keys)
    this.used = grown(this.used)
    this.next = grown(this.next)
    this.previous = grown(this.previous)
  }
}

function sameText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}
