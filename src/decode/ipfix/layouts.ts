/**
 * Record layouts, each once, however many exporters use it: ten thousand hosts with Open vSwitch send the same 88 templates. A
 * layout is planned when its first record comes.
 */
import type { BatchLayout } from '../../schema/batch.ts'
import type { Binding } from '../programs.ts'
import type { Program, RecordSource } from '../source.ts'
import { planOptions, type OptionsPlan } from './options.ts'
import { planRecords, type Plan } from './plan.ts'
import { sourceOf } from './records.ts'
import type { Spec } from './template.ts'

/** What a layout is of. Numbers, since it is asked for often. */
export const LAYOUT_KIND = { records: 0, options: 1 } as const

const STANDING = { unproven: 0, proven: 1, pinned: 2, gone: 3 } as const

/** Uses of a layout that a flood brings. */
export const SELDOM = 2
let lastPlanned: { layout: Layout; plan: Plan } | undefined

export class Layout {
  readonly spec: Spec
  /** Dense number, given to another when this one is gone. */
  readonly index: number
  /** Never given to another: what refers to a layout by its index can tell whether it is still that one. */
  readonly serial: number
  /** See LAYOUT_KIND. */
  readonly kind: number
  /** Data sets decoded by it, halved every minute: what a flood brings is used once, what exporters send is used again and again. */
  uses = 0
  /** Minute that `uses` is of. */
  usesMinute = 0
  /** What `Layouts` knows it by, and where it stands there; a value of STANDING, and its place among those that are proven. */
  readonly key: string
  standing: number = STANDING.unproven
  place = 0
  /** The program that was used last, and what it is bound to. */
  program: Program | undefined
  programOf: Binding | undefined
  readonly source = (batch: BatchLayout): RecordSource => sourceOf(this.plan, batch)
  private planned: Plan | undefined
  private ofOvs: boolean | undefined
  private plannedOptions: OptionsPlan | undefined

  constructor(spec: Spec, index: number, serial: number) {
    this.spec = spec
    this.key = keyOf(spec)
    this.index = index
    this.serial = serial
    this.kind = spec.scopes < 0 ? LAYOUT_KIND.records : LAYOUT_KIND.options
  }

  get plan(): Plan {
    return this.planned ?? this.makePlan()
  }

  /** Of a layout that is seldom used the plan is only at hand while it is used: a flood brings one after the other, and they would be garbage of long life. */
  private makePlan(): Plan {
    if (lastPlanned?.layout !== this) lastPlanned = { layout: this, plan: planRecords(this.spec) }
    const { plan } = lastPlanned
    if (this.uses > SELDOM || this.standing === STANDING.pinned) this.planned = plan
    return plan
  }

  get optionsPlan(): OptionsPlan {
    return (this.plannedOptions ??= planOptions(this.spec))
  }

  /** Open vSwitch sends it. Its one options template has the reliability statistics. */
  get ovs(): boolean {
    return (this.ofOvs ??= this.spec.scopes < 0 && this.plan.ovs)
  }
}

/** Layouts that are looked at when one of them has to go. */
const LOOKED_AT = 16
/** Beyond it uses are not counted. */
export const MOST_USES = 0xffff

/**
 * At most `max` layouts. Those that no exporter with data has sent go first, the oldest of them; then, of a few each time in turn, the
 * one used least.
 */
export class Layouts {
  evicted = 0
  /** Minutes since 1970, by which uses age. */
  minute = 0
  private readonly max: number
  private readonly onEvict: (layout: Layout) => void
  private readonly byKey = new Map<string, Layout>()
  /** In the order they came, from `oldest` on; some of them are proven or gone since. */
  private unproven: Layout[] = []
  private oldest = 0
  private unprovenCount = 0
  /** In no order; `hand` goes round. An array, since a Map whose first entry goes again and again is searched from its start each time. */
  private readonly proven: Layout[] = []
  private hand = 0
  private readonly byIndex: (Layout | undefined)[] = []
  private readonly free: number[] = []
  private nextSerial = 1

  constructor(max: number, onEvict: (layout: Layout) => void) {
    this.max = max
    this.onEvict = onEvict
  }

  /** Those that can go: what is pinned is held beside `max`, the caller has few. */
  get size(): number {
    return this.unprovenCount + this.proven.length
  }

  /** The layout that has this index, if it is still the one with this serial. */
  find(index: number, serial: number): Layout | undefined {
    const layout = this.byIndex[index]
    return layout !== undefined && layout.serial === serial ? layout : undefined
  }

  /** The layout of a spec, if it is held. */
  known(spec: Spec): Layout | undefined {
    return this.byKey.get(keyOf(spec))
  }

  /** The same, or a new one. */
  intern(spec: Spec): Layout {
    return this.known(spec) ?? this.add(spec)
  }

  /** A new one, for a spec that is not known. */
  add(spec: Spec): Layout {
    if (this.size >= this.max) this.evict()
    const layout = this.create(spec)
    this.unproven.push(layout)
    this.unprovenCount++
    return layout
  }

  /** The same, and it is never thrown out. */
  pin(spec: Spec): Layout {
    const known = this.byKey.get(keyOf(spec))
    if (known !== undefined) this.leave(known)
    const layout = known ?? this.create(spec)
    layout.standing = STANDING.pinned
    return layout
  }

  private create(spec: Spec): Layout {
    const layout = new Layout(spec, this.free.pop() ?? this.byIndex.length, this.nextSerial)
    layout.usesMinute = this.minute
    this.nextSerial = (this.nextSerial % 0x7fff_ffff) + 1
    this.byIndex[layout.index] = layout
    this.byKey.set(layout.key, layout)
    return layout
  }

  /** An exporter whose data was decoded has this layout. */
  prove(layout: Layout): void {
    if (layout.standing !== STANDING.unproven) return
    this.leave(layout)
    layout.standing = STANDING.proven
    layout.place = this.proven.push(layout) - 1
  }

  private evict(): void {
    const layout = this.oldestUnproven() ?? this.leastUsed()
    if (layout === undefined) return
    this.leave(layout)
    layout.standing = STANDING.gone
    this.byKey.delete(layout.key)
    this.byIndex[layout.index] = undefined
    this.free.push(layout.index)
    this.evicted++
    this.onEvict(layout)
  }

  private oldestUnproven(): Layout | undefined {
    if (this.unprovenCount === 0) return undefined
    while (this.unproven[this.oldest]!.standing !== STANDING.unproven) this.oldest++
    return this.unproven[this.oldest]
  }

  private leastUsed(): Layout | undefined {
    let least: Layout | undefined
    const most = Math.min(LOOKED_AT, this.proven.length)
    for (let looked = 0; looked < most; looked++) {
      this.hand = this.hand + 1 >= this.proven.length ? 0 : this.hand + 1
      const layout = this.proven[this.hand]!
      this.age(layout)
      if (least === undefined || layout.uses < least.uses) least = layout
    }
    return least
  }

  /** It is not among those that can go any more. */
  private leave(layout: Layout): void {
    if (layout.standing === STANDING.unproven) {
      this.unprovenCount--
      if (this.unprovenCount > 0 && this.oldest <= this.max) return
      this.unproven = this.unprovenCount === 0 ? [] : this.unproven.slice(this.oldest)
      this.oldest = 0
    } else if (layout.standing === STANDING.proven) {
      const last = this.proven.pop()!
      if (last === layout) return
      this.proven[layout.place] = last
      last.place = layout.place
    }
  }

  /** Halves what a layout was used, once for each minute gone. */
  private age(layout: Layout): void {
    if (layout.usesMinute === this.minute) return
    // What was read at the start, before there was a clock, is of now.
    if (layout.usesMinute !== 0) layout.uses >>= Math.min(31, Math.max(1, this.minute - layout.usesMinute))
    layout.usesMinute = this.minute
  }
}

function keyOf({ version, scopes, fields }: Spec): string {
  return `${version} ${scopes} ${fields}`
}
