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
  /** The program that was used last, and what it is bound to. */
  program: Program | undefined
  programOf: Binding | undefined
  readonly source = (batch: BatchLayout): RecordSource => sourceOf(this.plan, batch)
  private planned: Plan | undefined
  private ofOvs: boolean | undefined
  private plannedOptions: OptionsPlan | undefined

  constructor(spec: Spec, index: number, serial: number) {
    this.spec = spec
    this.index = index
    this.serial = serial
    this.kind = spec.scopes < 0 ? LAYOUT_KIND.records : LAYOUT_KIND.options
  }

  get plan(): Plan {
    return (this.planned ??= planRecords(this.spec))
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
  private readonly max: number
  private readonly onEvict: (layout: Layout) => void
  /** By version, kind and specifiers. */
  private readonly unproven = new Map<string, Layout>()
  /** Minutes since 1970, by which uses age. */
  minute = 0
  /** In the order of their turn: what is looked at and stays goes to the end. */
  private readonly proven = new Map<string, Layout>()
  /** Those that stay, beside `max`: the caller has few. */
  private readonly pinned = new Map<string, Layout>()
  private readonly byIndex: (Layout | undefined)[] = []
  private readonly free: number[] = []
  private nextSerial = 1

  constructor(max: number, onEvict: (layout: Layout) => void) {
    this.max = max
    this.onEvict = onEvict
  }

  get size(): number {
    return this.unproven.size + this.proven.size
  }

  /** The layout that has this index, if it is still the one with this serial. */
  find(index: number, serial: number): Layout | undefined {
    const layout = this.byIndex[index]
    return layout !== undefined && layout.serial === serial ? layout : undefined
  }

  intern(spec: Spec): Layout {
    const key = keyOf(spec)
    let layout = this.known(key)
    if (layout === undefined) {
      if (this.size >= this.max) this.evict()
      layout = this.create(spec)
      this.unproven.set(key, layout)
    }
    return layout
  }

  /** The same, and it is never thrown out. */
  pin(spec: Spec): Layout {
    const key = keyOf(spec)
    const layout = this.known(key) ?? this.create(spec)
    this.proven.delete(key)
    this.unproven.delete(key)
    this.pinned.set(key, layout)
    return layout
  }

  private known(key: string): Layout | undefined {
    return this.proven.get(key) ?? this.unproven.get(key) ?? this.pinned.get(key)
  }

  private create(spec: Spec): Layout {
    const layout = new Layout(spec, this.free.pop() ?? this.byIndex.length, this.nextSerial)
    layout.usesMinute = this.minute
    this.nextSerial = (this.nextSerial % 0x7fff_ffff) + 1
    this.byIndex[layout.index] = layout
    return layout
  }

  /** An exporter whose data was decoded has this layout. */
  prove(layout: Layout): void {
    const key = keyOf(layout.spec)
    if (this.unproven.get(key) !== layout) return
    this.unproven.delete(key)
    this.proven.set(key, layout)
  }

  private evict(): void {
    const [oldest] = this.unproven
    if (oldest !== undefined) {
      this.unproven.delete(oldest[0])
      return this.drop(oldest[1])
    }
    let least: Layout | undefined
    let looked = 0
    for (const [key, layout] of this.proven) {
      if (++looked > LOOKED_AT) break
      this.proven.delete(key)
      this.proven.set(key, layout)
      this.age(layout)
      if (least === undefined || layout.uses < least.uses) least = layout
    }
    if (least === undefined) return
    this.proven.delete(keyOf(least.spec))
    this.drop(least)
  }

  /** Halves what a layout was used, once for each minute gone. */
  private age(layout: Layout): void {
    if (layout.usesMinute === this.minute) return
    // What was read at the start, before there was a clock, is of now.
    if (layout.usesMinute !== 0) layout.uses >>= Math.min(31, Math.max(1, this.minute - layout.usesMinute))
    layout.usesMinute = this.minute
  }

  private drop(layout: Layout): void {
    this.byIndex[layout.index] = undefined
    this.free.push(layout.index)
    this.evicted++
    this.onEvict(layout)
  }
}

function keyOf({ version, scopes, fields }: Spec): string {
  return `${version} ${scopes} ${fields}`
}
