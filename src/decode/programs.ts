/**
 * Generated decoders, each bound to the memory of the batches and one receive arena: V8 then knows every array, and a record of OVS
 * takes 90 ns where a decoder that is handed its arrays takes 120.
 *
 * A worker has one memory and an arena a socket, so there are few bindings. Arenas that come once (tests, single datagrams) are
 * never bound; without a binding, and while too few records came, there is no program and the caller walks.
 */
import type { BatchLayout, BatchMemory } from '../schema/batch.ts'
import { compile, type Program, type RecordSource } from './source.ts'

export interface ProgramLimits {
  /** Pairs of memory and arena bound at a time; the one bound longest ago goes first. */
  readonly maxBindings: number
  /** Programs in all; then all go, and those in use are compiled again. */
  readonly maxPrograms: number
  /** Datagrams in a row from one arena before it is bound. */
  readonly bindAfterDatagrams: number
  /**
   * Records walked before their layout is compiled, so that compiling never costs much more than what was decoded. Measured: compiling takes 30 to
   * 80 µs, a record 3 to 6 where it is walked for the first time, and it is first times that a flood of templates is made of.
   */
  readonly compileAfterRecords: number
}

export const PROGRAM_LIMITS: ProgramLimits = {
  maxBindings: 16,
  maxPrograms: 1024,
  bindAfterDatagrams: 64,
  compileAfterRecords: 24,
}

/** Batches and an arena, and what is compiled for them. */
export interface Binding {
  readonly memory: BatchMemory | undefined
  readonly view: DataView | undefined
  /** By the number of the record layout. */
  readonly programs: (Program | undefined)[]
  readonly records: number[]
}

const UNBOUND: Binding = { memory: undefined, view: undefined, programs: [], records: [] }

export class Programs {
  compiled = 0
  private readonly limits: ProgramLimits
  private readonly head: Uint32Array
  private bindings: Binding[] = []
  /** What was selected. */
  current: Binding = UNBOUND
  /** What came last and is not bound yet, and how often in a row. */
  private candidate: { memory: BatchMemory; view: DataView; seen: number } | undefined
  size = 0

  /** `head` is what the programs read, see HEAD. */
  constructor(head: Uint32Array, limits: Partial<ProgramLimits> = {}) {
    this.head = head
    this.limits = { ...PROGRAM_LIMITS, ...limits }
  }

  /** Takes the memory and the arena that records are decoded to and from, from now on; called for every datagram. */
  select(memory: BatchMemory, view: DataView): void {
    const { current } = this
    if (current.memory !== memory || current.view !== view) this.bind(memory, view)
  }

  /** The program of layout `index` for what was selected, or undefined. */
  find(index: number): Program | undefined {
    return this.current.programs[index]
  }

  /** Where `find` found none, for `records` records to come: compiled now, or undefined while too few came. */
  want(index: number, records: number, source: (layout: BatchLayout) => RecordSource): Program | undefined {
    const { memory, view, programs, records: counts } = this.current
    if (memory === undefined || view === undefined) return undefined
    const count = (counts[index] ?? 0) + records
    counts[index] = count
    if (count < this.limits.compileAfterRecords) return undefined
    if (this.size >= this.limits.maxPrograms) this.dropAll()
    const program = compile(source(memory.layout), view, memory, this.head)
    programs[index] = program
    this.size++
    this.compiled++
    return program
  }

  /** Layout `index` is no more; its number may be given to another. */
  drop(index: number): void {
    for (const { programs, records } of this.bindings) {
      if (programs[index] !== undefined) this.size--
      programs[index] = undefined
      records[index] = 0
    }
  }

  private bind(memory: BatchMemory, view: DataView): void {
    const known = this.bindings.find((binding) => binding.memory === memory && binding.view === view)
    this.current = known ?? UNBOUND
    if (known !== undefined) return
    const { candidate, limits } = this
    if (candidate === undefined || candidate.memory !== memory || candidate.view !== view) {
      this.candidate = { memory, view, seen: 1 }
      if (limits.bindAfterDatagrams > 0) return
    } else if (++candidate.seen < limits.bindAfterDatagrams) return
    this.candidate = undefined
    if (this.bindings.length >= limits.maxBindings) this.unbind(this.bindings.shift()!)
    this.current = { memory, view, programs: [], records: [] }
    this.bindings.push(this.current)
  }

  private unbind({ programs }: Binding): void {
    this.size -= programs.filter((program) => program !== undefined).length
  }

  private dropAll(): void {
    for (const { programs, records } of this.bindings) {
      programs.length = 0
      records.length = 0
    }
    this.size = 0
  }
}
