/**
 * Templates by exporter, port, domain, version and id.
 *
 * RFC 7011 §8: a template belongs to a transport session and an observation domain. OVS breaks that in three ways (it changes
 * its port on reconfiguration; before 3.2 it sends templates for one domain only; it sends them every ten minutes), so
 * a template not found is looked for under (exporter, domain) and then, among those of OVS, under (exporter), newest first; what
 * such a template decodes must fill its set exactly.
 */
import { hash4 } from './key-index.ts'
import { LAYOUT_KIND, Layouts, MOST_USES, type Layout } from './layouts.ts'
import { IPFIX, type Spec, type Version } from './template.ts'
import { TEMPLATE_LIMITS, type TemplateLimits } from './template-limits.ts'
import {
  DOMAIN,
  EXPORTER,
  ID,
  LAYOUT_INDEX,
  LAYOUT_SERIAL,
  PROBE,
  PROVEN,
  SESSION,
  SHIFT,
  TAKEN,
  TemplateTable,
  USED,
} from './template-table.ts'

/** Entries looked at in one call of `expire`. */
const SWEEP = 512

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
  /** When it last came, s since 1970; 0 = not known. */
  readonly learnedS: number
  /** Data of its exporter was decoded. */
  readonly proven: boolean
  /** How often data was decoded by the like of it, see `Layout.uses`. */
  readonly uses: number
}

/** How a template was found. */
export const FOUND_BY = { session: 0, domain: 1, exporter: 2 } as const

// V8 folds numbers of the module itself into compiled code; imported ones it reads each time.
const BY_SESSION = FOUND_BY.session
const SETTLED = TAKEN | USED | PROVEN
const [AT_EXPORTER, AT_DOMAIN, AT_SESSION, AT_ID] = [EXPORTER, DOMAIN, SESSION, ID]
const hash = hash4
const IPFIX_VERSION = IPFIX
const RECORDS = LAYOUT_KIND.records
const USES_COUNTED = MOST_USES
const [AT_INDEX, AT_SERIAL, ENTRY_SHIFT] = [LAYOUT_INDEX, LAYOUT_SERIAL, SHIFT]

export class Templates {
  readonly limits: TemplateLimits
  readonly layouts: Layouts
  /** Goes up with everything that is worth writing down. */
  changes = 0
  /** Templates let go for their age. */
  aged = 0
  /** Templates not learned since their datagram brought more than `maxNewLayouts`. */
  postponed = 0
  /** Layouts never seen before that may still be learned: `begin` says of a datagram how many. */
  private newLayouts = Infinity
  /** Time in s that templates are learned at, see `expire`. */
  nowS = 0
  private sweepAt = 0
  /** How the last `find` found: a value of FOUND_BY. */
  foundBy: number = BY_SESSION
  private readonly table: TemplateTable
  private arena: Buffer = Buffer.alloc(0)

  /** `onEvict` is told of layouts that go. */
  constructor(limits: Partial<TemplateLimits> = {}, onEvict: (layout: Layout) => void = () => {}) {
    this.limits = { ...TEMPLATE_LIMITS, ...limits }
    this.layouts = new Layouts(this.limits.maxLayouts, onEvict)
    const { maxTemplates, maxTemplatesPerExporter } = this.limits
    this.table = new TemplateTable(maxTemplates, maxTemplatesPerExporter, (entry) => this.layoutOf(entry)?.uses ?? -1)
  }

  get size(): number {
    return this.table.size
  }

  /** Templates held of one exporter. */
  countOf(exporterId: number): number {
    return this.table.countOf(exporterId)
  }

  get evicted(): number {
    return this.table.evicted
  }

  /** A datagram begins. */
  begin(): void {
    this.newLayouts = this.limits.maxNewLayouts
  }

  /** What `find` and `learn` are for from now on: the session and domain of a message. `domain` is taken modulo 2^32. */
  select(exporterId: number, exporterPort: number, domain: number, version: Version): void {
    const { words } = this.table
    words[AT_EXPORTER] = exporterId
    words[AT_DOMAIN] = domain
    words[AT_SESSION] = exporterPort * 16 + version
  }

  /** The layout that template `id` gives; how it was found is in `foundBy`. No allocation. */
  find(id: number): Layout | undefined {
    const { words, bySession } = this.table
    const { slots } = bySession
    const mask = slots.length - 1
    words[AT_ID] = id
    const exporter = words[AT_EXPORTER]! | 0
    const domain = words[AT_DOMAIN]! | 0
    const session = words[AT_SESSION]! | 0
    // KeyIndex.find, written out: a third of the time, and this is done for every message of OVS.
    for (let slot = hash4(exporter, domain, session, id) & mask; ; slot = (slot + 1) & mask) {
      const entry = (slots[slot]! - 1) | 0
      if (entry < 0) return this.fallBack()
      const at = entry << ENTRY_SHIFT
      if (words[at + AT_ID] !== id || (words[at + AT_SESSION]! | 0) !== session) continue
      if ((words[at + AT_DOMAIN]! | 0) !== domain || (words[at + AT_EXPORTER]! | 0) !== exporter) continue
      return this.use(entry, BY_SESSION) ?? this.fallBack()
    }
  }

  /**
   * The layout of records that `select` and `find` would find for a settled IPFIX session, without falling back. No allocation.
   * Apart from them since it is done for every message of OVS.
   */
  findOwn(exporterId: number, exporterPort: number, domain: number, id: number): Layout | undefined {
    const { words, bySession, state } = this.table
    const { slots } = bySession
    const mask = (slots.length - 1) | 0
    const session = (exporterPort << 4) | IPFIX_VERSION
    const exporter = exporterId | 0
    for (let slot = hash(exporter, domain, session, id) & mask; ; slot = ((slot + 1) | 0) & mask) {
      const entry = (slots[slot]! - 1) | 0
      if (entry < 0) return undefined
      const at = entry << ENTRY_SHIFT
      if ((words[(at + AT_ID) | 0]! | 0) !== id || (words[(at + AT_SESSION) | 0]! | 0) !== session) continue
      if ((words[(at + AT_DOMAIN) | 0]! | 0) !== domain || (words[at]! | 0) !== exporter) continue
      const layout = this.layouts.find(words[(at + AT_INDEX) | 0]!, words[(at + AT_SERIAL) | 0]!)
      if (layout === undefined || layout.kind !== RECORDS || state[entry] !== SETTLED) return undefined
      if (layout.uses < USES_COUNTED) layout.uses++
      return layout
    }
  }

  /** The last `find` found, by fall-back, what does not fit: it is not to be found that way again. */
  forget(): void {
    if (this.foundBy === BY_SESSION) return
    const index = this.foundBy === FOUND_BY.domain ? this.table.byDomain : this.table.byExporter
    const entry = index.find(PROBE)
    if (entry >= 0) index.delete(entry)
  }

  /**
   * Learns template `id` of what was selected, or refreshes it. `bytes[start .. end)` are its field specifiers. A template of the same
   * id is replaced, whatever its kind. Whether it is new, or another than before.
   */
  learn(id: number, scopes: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { table, layouts } = this
    table.words[AT_ID] = id
    const known = table.bySession.find(PROBE)
    let layout = known < 0 ? undefined : this.layoutOf(known)
    const changed = layout?.spec.scopes !== scopes || !sameText(layout.spec.fields, bytes, start, end)
    if (changed) {
      const fields = this.textOf(bytes, start, end)
      const version = (table.words[AT_SESSION]! % 16) as Version
      layout = this.layoutFor({ version, scopes, fields })
      if (layout === undefined) {
        // What it said before holds no more.
        if (known >= 0) table.remove(known)
        this.postponed++
        return false
      }
    }
    const entry = known < 0 ? table.put() : known
    if (changed) {
      const at = entry << ENTRY_SHIFT
      table.words[at + AT_INDEX] = layout!.index
      table.words[at + AT_SERIAL] = layout!.serial
      if ((table.state[entry]! & PROVEN) !== 0) layouts.prove(layout!)
    }
    table.learnedS[entry] = this.nowS
    if (changed) this.changes++
    // Of several sessions, the one heard last is the one to fall back to.
    table.byDomain.set(entry)
    table.byExporter.set(entry)
    return changed
  }

  /** Bytes as text, one character each. The arena is mostly the one before: a Buffer over it is made once. */
  private textOf(bytes: Uint8Array, start: number, end: number): string {
    if (this.arena.buffer !== bytes.buffer) this.arena = Buffer.from(bytes.buffer)
    return this.arena.toString('latin1', bytes.byteOffset + start, bytes.byteOffset + end)
  }

  /** The layout of a spec; undefined when the datagram at hand has brought as many new ones as it may. */
  private layoutFor(spec: Spec): Layout | undefined {
    const known = this.layouts.known(spec)
    if (known !== undefined) return known
    if (this.newLayouts <= 0) return undefined
    this.newLayouts--
    return this.layouts.add(spec)
  }

  /** The field specifiers of template `id` of what was selected. */
  specOf(id: number): string | undefined {
    this.table.words[ID] = id
    const entry = this.table.bySession.find(PROBE)
    return entry < 0 ? undefined : this.layoutOf(entry)?.spec.fields
  }

  /**
   * Lets go of templates that neither came again nor were used for `maxAgeMs`; looks at some of them each time. RFC 7011 §8.4: over
   * UDP templates age out.
   */
  expire(nowMs: number): void {
    const { table } = this
    this.nowS = Math.floor(nowMs / 1000)
    this.layouts.minute = Math.floor(nowMs / 60_000)
    const most = Math.min(SWEEP, table.end)
    for (let looked = 0; looked < most; looked++) {
      this.sweepAt = this.sweepAt + 1 >= table.end ? 1 : this.sweepAt + 1
      const entry = this.sweepAt
      const state = table.state[entry]!
      if (state === 0) continue
      if ((state & USED) !== 0) {
        table.state[entry] = state & ~USED
        table.learnedS[entry] = this.nowS
      } else if ((this.nowS - table.learnedS[entry]!) * 1000 > this.limits.maxAgeMs) {
        table.remove(entry)
        this.aged++
        this.changes++
      }
    }
  }

  /** The clock was set by so much: no template is older or younger for it. */
  stepped(byMs: number): void {
    const { table } = this
    const seconds = Math.round(byMs / 1000)
    for (let entry = 1; entry < table.end; entry++)
      table.learnedS[entry] = Math.max(0, table.learnedS[entry]! + seconds)
    this.nowS = Math.max(0, this.nowS + seconds)
  }

  /** All templates, to write them down; those of one layout have one number of it. */
  *entries(): Generator<SavedTemplate & { layout: number }> {
    const { table } = this
    for (const entry of table.entries()) {
      const layout = this.layoutOf(entry)
      if (layout === undefined) continue
      const { version, scopes, fields } = layout.spec
      const { uses } = layout
      yield {
        layout: layout.serial,
        uses,
        exporterId: table.word(entry, EXPORTER),
        exporterPort: Math.floor(table.word(entry, SESSION) / 16),
        domain: table.word(entry, DOMAIN),
        version,
        id: table.word(entry, ID),
        scopes,
        fields,
        learnedS: table.learnedS[entry]!,
        proven: (table.state[entry]! & PROVEN) !== 0,
      }
    }
  }

  /** Learns what `entries` gave. */
  restore(saved: SavedTemplate): void {
    const bytes = Buffer.from(saved.fields, 'latin1')
    this.newLayouts = Infinity
    this.select(saved.exporterId, saved.exporterPort, saved.domain, saved.version)
    this.learn(saved.id, saved.scopes, bytes, 0, bytes.length)
    this.table.words[ID] = saved.id
    const entry = this.table.bySession.find(PROBE)
    if (saved.learnedS > 0) this.table.learnedS[entry] = saved.learnedS
    if (saved.proven) this.prove(entry)
    const layout = this.layoutOf(entry)
    if (layout !== undefined) layout.uses = Math.max(layout.uses, Math.min(saved.uses, MOST_USES))
  }

  private fallBack(): Layout | undefined {
    const inDomain = this.table.byDomain.find(PROBE)
    const found = inDomain < 0 ? undefined : this.use(inDomain, FOUND_BY.domain)
    if (found !== undefined) return found
    const elsewhere = this.table.byExporter.find(PROBE)
    if (elsewhere < 0 || this.layoutOf(elsewhere)?.ovs === false) return undefined
    return this.use(elsewhere, FOUND_BY.exporter)
  }

  /** The layout of an entry that was found. Without it, the entry goes: its layout was thrown out. */
  private use(entry: number, by: number): Layout | undefined {
    const layout = this.layoutOf(entry)
    if (layout === undefined) {
      this.table.remove(entry)
      return undefined
    }
    this.foundBy = by
    if (layout.uses < USES_COUNTED) layout.uses++
    if (this.table.state[entry] !== SETTLED) this.prove(entry)
    return layout
  }

  private layoutOf(entry: number): Layout | undefined {
    const at = entry << ENTRY_SHIFT
    const { words } = this.table
    return this.layouts.find(words[at + AT_INDEX]!, words[at + AT_SERIAL]!)
  }

  private prove(entry: number): void {
    for (const proven of this.table.prove(entry)) {
      const layout = this.layoutOf(proven)
      if (layout !== undefined) this.layouts.prove(layout)
    }
    this.table.state[entry] = SETTLED
  }
}

function sameText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}
