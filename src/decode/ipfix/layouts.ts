/**
 * Record layouts, each once, however many exporters use it: ten thousand hosts with Open vSwitch send the same 88 templates. A
 * layout is planned when its first record comes and compiled when it has proved to come often.
 */
import type { BatchLayout } from '../../schema/batch.ts'
import type { Program } from '../source.ts'
import { planRecords, type Plan } from './plan.ts'
import { planOptions, type OptionsPlan } from './options.ts'
import { compileRecords } from './records.ts'
import type { Spec } from './template.ts'

/** Bounds on layouts, and the work that is put into them. */
export interface LayoutLimits {
  /** Different layouts held; the one longest unused goes first. */
  readonly maxLayouts: number
  /** Generated decoders held. */
  readonly maxPrograms: number
  /** Records that a layout's fields are walked for before it is compiled, so that compiling never costs much more than was decoded. */
  readonly compileAfterRecords: number
}

export class Layout {
  readonly spec: Spec
  /** False when it was thrown out: templates that refer to it are gone. */
  alive = true
  /** Used since the clock hand last passed. */
  used = false
  records = 0
  program: Program | undefined
  /** The batch layout that `program` was compiled for. */
  programFor: BatchLayout | undefined
  programUsed = false
  private planned: Plan | undefined
  private plannedOptions: OptionsPlan | undefined

  constructor(spec: Spec) {
    this.spec = spec
  }

  get options(): boolean {
    return this.spec.scopes >= 0
  }

  get plan(): Plan {
    return (this.planned ??= planRecords(this.spec))
  }

  get optionsPlan(): OptionsPlan {
    return (this.plannedOptions ??= planOptions(this.spec))
  }

  /** Open vSwitch sends it. Its one options template has the reliability statistics. */
  get ovs(): boolean {
    return this.options ? false : this.plan.ovs
  }
}

export class Layouts {
  evicted = 0
  compiled = 0
  private readonly limits: LayoutLimits
  /** By version, kind and specifiers, in clock order: what was used goes to the end when the hand meets it. */
  private readonly known = new Map<string, Layout>()
  private readonly programs = new Set<Layout>()

  constructor(limits: LayoutLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.known.size
  }

  intern(spec: Spec): Layout {
    const key = `${spec.version} ${spec.scopes} ${spec.fields}`
    let layout = this.known.get(key)
    if (layout === undefined) {
      if (this.known.size >= this.limits.maxLayouts) this.evict()
      layout = new Layout(spec)
      this.known.set(key, layout)
    }
    return layout
  }

  /**
   * The generated decoder of a layout that `records` more records (at most) come for, or undefined while they are too few: then
   * the records are walked.
   */
  programOf(layout: Layout, batch: BatchLayout, records: number): Program | undefined {
    layout.records += records
    if (layout.programFor === batch) {
      layout.programUsed = true
      return layout.program
    }
    if (layout.records < this.limits.compileAfterRecords) return undefined
    if (this.programs.size >= this.limits.maxPrograms) this.dropProgram()
    layout.program = compileRecords(layout.plan, batch)
    layout.programFor = batch
    this.programs.add(layout)
    this.compiled++
    return layout.program
  }

  private evict(): void {
    for (const [key, layout] of this.known) {
      this.known.delete(key)
      if (layout.used) {
        layout.used = false
        this.known.set(key, layout)
      } else {
        layout.alive = false
        this.programs.delete(layout)
        this.evicted++
        return
      }
    }
  }

  private dropProgram(): void {
    for (const layout of this.programs) {
      this.programs.delete(layout)
      if (layout.programUsed) {
        layout.programUsed = false
        this.programs.add(layout)
      } else {
        layout.program = undefined
        layout.programFor = undefined
        layout.records = 0
        return
      }
    }
  }
}
