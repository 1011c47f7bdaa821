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
import { Layouts, type Layout, type LayoutLimits } from './layouts.ts'
import type { Spec, Version } from './template.ts'

export interface TemplateLimits extends LayoutLimits {
  /** Templates held in all. */
  readonly maxTemplates: number
  /** Templates held of one exporter. OVN sends 88 for every observation domain. */
  readonly maxTemplatesPerExporter: number
  /** Fields of a template. */
  readonly maxFields: number
}

export const TEMPLATE_LIMITS: TemplateLimits = {
  maxTemplates: 262_144,
  maxTemplatesPerExporter: 16_384,
  maxFields: 512,
  maxLayouts: 1024,
  maxPrograms: 256,
  compileAfterRecords: 256,
}

/** What names a template. */
export interface TemplateKey {
  /** Dense number of the source address, see `Datagram.exporterId`. */
  exporterId: number
  exporterPort: number
  domain: number
  version: Version
  id: number
}

/** A template as it can be written down and learned again. */
export interface SavedTemplate extends TemplateKey {
  /** See `Spec`. */
  scopes: number
  fields: string
}

/** How a template was found. */
export const FOUND_BY = { session: 0, domain: 1, exporter: 2 } as const

/** Entry that holds the key looked for. */
const PROBE = 0

export class Templates {
  readonly limits: TemplateLimits
  readonly layouts: Layouts
  evicted = 0
  /** How the last `find` found: index into FOUND_BY. */
  foundBy: number = FOUND_BY.session
  size = 0

  private exporter = new Uint32Array(64)
  private domain = new Uint32Array(64)
  private port = new Uint16Array(64)
  private id = new Uint16Array(64)
  private version = new Uint8Array(64)
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
    (e) => this.hash(FOUND_BY.session, e),
    (a, b) => this.port[a] === this.port[b] && this.domain[a] === this.domain[b] && this.sameExporter(a, b),
  )
  private readonly byDomain = new KeyIndex(
    (e) => this.hash(FOUND_BY.domain, e),
    (a, b) => this.domain[a] === this.domain[b] && this.sameExporter(a, b),
  )
  private readonly byExporter = new KeyIndex(
    (e) => this.hash(FOUND_BY.exporter, e),
    (a, b) => this.sameExporter(a, b),
  )

  constructor(limits: Partial<TemplateLimits> = {}) {
    this.limits = { ...TEMPLATE_LIMITS, ...limits }
    this.layouts = new Layouts(this.limits)
  }

  /** The layout of the records that `key` announces; how it was found is in `foundBy`. No allocation. */
  find(key: TemplateKey): Layout | undefined {
    this.setProbe(key)
    for (let by = 0; by < 3; by++) {
      const entry = this.index(by).find(this.hash(by, PROBE), PROBE)
      if (entry < 0) continue
      const layout = this.layout[entry]!
      if (!layout.alive) {
        this.remove(entry)
        continue
      }
      if (by === FOUND_BY.exporter && !layout.ovs) return undefined
      this.foundBy = by
      this.used[entry] = 1
      layout.used = true
      return layout
    }
    return undefined
  }

  /** The last `find` found, by fall-back, what does not fit: it is not to be found that way again. */
  forget(): void {
    if (this.foundBy === FOUND_BY.session) return
    const index = this.index(this.foundBy)
    const entry = index.find(this.hash(this.foundBy, PROBE), PROBE)
    if (entry >= 0) index.delete(entry)
  }

  /**
   * Learns a template, or refreshes it. `bytes[start .. end)` are its field specifiers. A template of the same key is replaced,
   * whatever its kind.
   */
  learn(key: TemplateKey, scopes: number, bytes: Uint8Array, start: number, end: number): void {
    this.setProbe(key)
    const known = this.bySession.find(this.hash(FOUND_BY.session, PROBE), PROBE)
    const layout = known < 0 ? undefined : this.layout[known]
    const unchanged =
      layout?.alive === true && layout.spec.scopes === scopes && sameText(layout.spec.fields, bytes, start, end)
    if (!unchanged) {
      const fields = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
      this.put(key, known, this.layouts.intern({ version: key.version, scopes, fields }))
    } else {
      // The newest of several sessions is the one to fall back to.
      layout.used = true
      this.byDomain.set(known)
      this.byExporter.set(known)
    }
  }

  /** All templates, to write them down. */
  *entries(): Generator<SavedTemplate> {
    for (let entry = 1; entry < this.fresh; entry++) {
      const layout = this.layout[entry]
      if (layout?.alive !== true) continue
      const { scopes, fields }: Spec = layout.spec
      yield {
        exporterId: this.exporter[entry]!,
        exporterPort: this.port[entry]!,
        domain: this.domain[entry]!,
        version: this.version[entry] as Version,
        id: this.id[entry]!,
        scopes,
        fields,
      }
    }
  }

  private put(key: TemplateKey, known: number, layout: Layout): void {
    const entry = known < 0 ? this.take(key.exporterId) : known
    this.layout[entry] = layout
    this.exporter[entry] = key.exporterId
    this.port[entry] = key.exporterPort
    this.domain[entry] = key.domain
    this.version[entry] = key.version
    this.id[entry] = key.id
    this.used[entry] = 0
    if (known < 0) this.bySession.set(entry)
    this.byDomain.set(entry)
    this.byExporter.set(entry)
  }

  /** A free entry in the ring of an exporter, made room for if need be. */
  private take(exporterId: number): number {
    const ring = this.rings.get(exporterId)
    if (ring !== undefined && ring.count >= this.limits.maxTemplatesPerExporter) this.evictOf(ring)
    else if (this.size >= this.limits.maxTemplates) this.evict()
    const entry = this.free.pop() ?? this.fresh++
    if (entry >= this.exporter.length) this.grow()
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
    const exporterId = this.exporter[entry]!
    const ring = this.rings.get(exporterId)!
    if (--ring.count === 0) return void this.rings.delete(exporterId)
    const [before, after] = [this.previous[entry]!, this.next[entry]!]
    this.next[before] = after
    this.previous[after] = before
    if (ring.hand === entry) ring.hand = after
  }

  private index(by: number): KeyIndex {
    return by === FOUND_BY.session ? this.bySession : by === FOUND_BY.domain ? this.byDomain : this.byExporter
  }

  private hash(by: number, entry: number): number {
    return hash4(
      this.exporter[entry]!,
      by === FOUND_BY.exporter ? 0 : this.domain[entry]!,
      by === FOUND_BY.session ? this.port[entry]! : 0,
      this.id[entry]! * 16 + this.version[entry]!,
    )
  }

  private sameExporter(a: number, b: number): boolean {
    return this.id[a] === this.id[b] && this.exporter[a] === this.exporter[b] && this.version[a] === this.version[b]
  }

  private setProbe(key: TemplateKey): void {
    this.exporter[PROBE] = key.exporterId
    this.port[PROBE] = key.exporterPort
    this.domain[PROBE] = key.domain
    this.version[PROBE] = key.version
    this.id[PROBE] = key.id
  }

  private grow(): void {
    const grown = <A extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(array: A): A => {
      const larger = new (array.constructor as new (length: number) => A)(array.length * 2)
      larger.set(array)
      return larger
    }
    this.exporter = grown(this.exporter)
    this.domain = grown(this.domain)
    this.port = grown(this.port)
    this.id = grown(this.id)
    this.version = grown(this.version)
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
