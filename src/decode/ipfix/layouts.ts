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
  /** Used since the clock hand last passed. */
  used = false
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

/** At most `max` layouts. Those that no exporter with data has sent go first, then the one longest unused. */
export class Layouts {
  evicted = 0
  private readonly max: number
  private readonly onEvict: (layout: Layout) => void
  /** By version, kind and specifiers. */
  private readonly unproven = new Map<string, Layout>()
  /** In clock order: what was used goes to the end when the hand meets it. */
  private readonly proven = new Map<string, Layout>()
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
    let layout = this.proven.get(key) ?? this.unproven.get(key)
    if (layout === undefined) {
      if (this.size >= this.max) this.evict()
      layout = new Layout(spec, this.free.pop() ?? this.byIndex.length, this.nextSerial)
      this.nextSerial = (this.nextSerial % 0x7fff_ffff) + 1
      this.byIndex[layout.index] = layout
      this.unproven.set(key, layout)
    }
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
    for (const [key, layout] of this.proven) {
      this.proven.delete(key)
      if (!layout.used) return this.drop(layout)
      layout.used = false
      this.proven.set(key, layout)
    }
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
