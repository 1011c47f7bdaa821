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

/** What a layout is of; `gone` when it was thrown out, and templates that refer to it with it. Numbers, since they are asked for often. */
export const LAYOUT_KIND = { gone: 0, records: 1, options: 2 } as const

export class Layout {
  readonly spec: Spec
  /** Dense number, given to another when this one is gone. */
  readonly index: number
  /** See LAYOUT_KIND. */
  kind: number
  /** Used since the clock hand last passed. */
  used = false
  /** The program that was used last, and what it is bound to. */
  program: Program | undefined
  programOf: Binding | undefined
  readonly source = (batch: BatchLayout): RecordSource => sourceOf(this.plan, batch)
  private planned: Plan | undefined
  private plannedOptions: OptionsPlan | undefined

  constructor(spec: Spec, index: number) {
    this.spec = spec
    this.index = index
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
    return this.spec.scopes < 0 && this.plan.ovs
  }
}

/** At most `max` layouts; the one longest unused goes first. */
export class Layouts {
  evicted = 0
  private readonly max: number
  private readonly onEvict: (layout: Layout) => void
  /** By version, kind and specifiers, in clock order: what was used goes to the end when the hand meets it. */
  private readonly known = new Map<string, Layout>()
  private readonly free: number[] = []

  constructor(max: number, onEvict: (layout: Layout) => void) {
    this.max = max
    this.onEvict = onEvict
  }

  get size(): number {
    return this.known.size
  }

  intern(spec: Spec): Layout {
    const key = `${spec.version} ${spec.scopes} ${spec.fields}`
    let layout = this.known.get(key)
    if (layout === undefined) {
      if (this.known.size >= this.max) this.evict()
      layout = new Layout(spec, this.free.pop() ?? this.known.size)
      this.known.set(key, layout)
    }
    return layout
  }

  private evict(): void {
    for (const [key, layout] of this.known) {
      this.known.delete(key)
      if (layout.used) {
        layout.used = false
        this.known.set(key, layout)
        continue
      }
      layout.kind = LAYOUT_KIND.gone
      this.free.push(layout.index)
      this.evicted++
      this.onEvict(layout)
      return
    }
  }
}
