/**
 * What the counter samples of sFlow tell of interfaces (records 1, 1004 and 1005 of Open vSwitch): ifIndex and (datapath,
 * OpenFlow port) → name, by exporter. The owner bounds how many there are.
 *
 * A name holds from when it was first told. Between the last time of one name and the first of the next nobody knows which held.
 */
import type { LearnedNames } from '../attribute/learned.ts'
import type { InterfaceCounters } from '../decode/decoder.ts'
import { type Before, NameSlots } from './name-slots.ts'

/** Bridges of one exporter that have the same OpenFlow port; a host has a few. Of more, none of the further ones is known by it. */
const MOST_DATAPATHS = 64
/** In place of the thread that told a name: this one. */
const HERE = -1

interface Told {
  name: string
  fromMs: number
  lastMs: number
  /** What had the number before. */
  before: Before | undefined
}

/** A number of the exporter with these four lanes. */
type Slot = { exporter: Uint32Array } & ({ ifIndex: number } | { ofport: number; datapathId: string })

/** What one thread learned, for the others; without `told` the name is forgotten. Plain data. */
export interface LearnedNews {
  at: Slot
  told: Told | undefined
}

/** What was put, for taking it out again. */
export type LearnedKey = Pick<InterfaceCounters, 'ifIndex' | 'ofport' | 'datapathId'>

export class LearnedInterfaces implements LearnedNames {
  /** Names that were new. */
  changes = 0
  /** Told of what is learned and forgotten here, not of what was heard. */
  onNews: ((news: LearnedNews) => void) | undefined
  /** By ifIndex, which is of no datapath, and by OpenFlow port. */
  private readonly ifIndexes = new NameSlots()
  private readonly ofports = new NameSlots()

  /** Takes over what a counter sample of an exporter tells; false when it tells no name. */
  put(exporter: Uint32Array, { ifIndex, ofport, datapathId, name }: InterfaceCounters, nowMs: number): boolean {
    if (name === '') return false
    this.tell(this.ifIndexes, exporter, ifIndex, '', name, nowMs)
    if (ofport >= 0) this.tell(this.ofports, exporter, ofport, datapathId, name, nowMs)
    return true
  }

  /** Forgets what was put for the exporter whose lanes lie at `at`. */
  remove(exporter: Uint32Array, at: number, { ifIndex, ofport, datapathId }: LearnedKey): void {
    this.drop(this.ifIndexes, find(this.ifIndexes, exporter, at, ifIndex, ''))
    if (ofport >= 0) this.drop(this.ofports, find(this.ofports, exporter, at, ofport, datapathId))
  }

  /** Takes over what thread `by` learned or forgot. What was told here goes before it. */
  hear({ at, told }: LearnedNews, by: number): void {
    const [slots, number, datapath] = this.placeOf(at)
    const known = find(slots, at.exporter, 0, number, datapath)
    if (known > 0 && slots.by[known] === HERE && told?.name === slots.name[known]) return
    if (told !== undefined) this.set(slots, known || this.add(slots, at.exporter, number, datapath), told, by)
    else if (known > 0 && slots.by[known] === by) slots.remove(known)
    else return
    this.changes++
  }

  /** Forgets what thread `by` told: it is gone, and its counters with it. */
  forget(by: number): void {
    for (const slots of [this.ifIndexes, this.ofports])
      for (const entry of slots.entries()) if (slots.by[entry] === by) slots.remove(entry)
  }

  /** All that other threads told, and which. */
  *heard(): Generator<[news: LearnedNews, by: number]> {
    for (const slots of [this.ifIndexes, this.ofports])
      for (const entry of slots.entries())
        if (slots.by[entry] !== HERE) yield [this.newsOf(slots, entry), slots.by[entry]!]
  }

  byIfIndex(exporter: Uint32Array, row: number, ifIndex: number, atMs: number): string {
    const entry = this.ifIndexes.first(exporter, row * 4, ifIndex)
    return entry === 0 ? '' : nameAt(this.ifIndexes, entry, atMs)
  }

  byOfport(exporter: Uint32Array, row: number, ofport: number, atMs: number): string {
    const { ofports } = this
    let found = ''
    for (let entry = ofports.first(exporter, row * 4, ofport); entry !== 0; entry = ofports.next(entry)) {
      const name = nameAt(ofports, entry, atMs)
      if (name === '' || name === found) continue
      if (found !== '') return ''
      found = name
    }
    return found
  }

  private tell(slots: NameSlots, exporter: Uint32Array, number: number, datapath: string, name: string, nowMs: number) {
    const known = find(slots, exporter, 0, number, datapath)
    if (slots.name[known] === name) {
      slots.lastMs[known] = nowMs
      slots.by[known] = HERE
      return
    }
    const before = known === 0 ? undefined : { name: slots.name[known]!, lastMs: slots.lastMs[known]! }
    const entry = known || this.add(slots, exporter, number, datapath)
    this.set(slots, entry, { name, fromMs: nowMs, lastMs: nowMs, before }, HERE)
    this.changes++
    if (entry !== 0) this.onNews?.(this.newsOf(slots, entry))
  }

  /** A new entry; 0 where there are too many of the number. */
  private add(slots: NameSlots, exporter: Uint32Array, number: number, datapath: string): number {
    let others = 0
    for (let at = slots.first(exporter, 0, number); at !== 0; at = slots.next(at)) others++
    if (others >= MOST_DATAPATHS) return 0
    const entry = slots.add(exporter, 0, number)
    slots.datapath[entry] = datapath
    return entry
  }

  private set(slots: NameSlots, entry: number, { name, fromMs, lastMs, before }: Told, by: number): void {
    if (entry === 0) return
    slots.name[entry] = name
    slots.fromMs[entry] = fromMs
    slots.lastMs[entry] = lastMs
    slots.before[entry] = before
    slots.by[entry] = by
  }

  private drop(slots: NameSlots, entry: number): void {
    if (entry === 0) return
    const { at } = this.newsOf(slots, entry)
    slots.remove(entry)
    this.onNews?.({ at, told: undefined })
  }

  private placeOf(at: Slot): [slots: NameSlots, number: number, datapath: string] {
    return 'ifIndex' in at ? [this.ifIndexes, at.ifIndex, ''] : [this.ofports, at.ofport, at.datapathId]
  }

  private newsOf(slots: NameSlots, entry: number): LearnedNews {
    const exporter = slots.exporterOf(entry)
    const number = slots.numberOf(entry)
    const told = { name: slots.name[entry]!, fromMs: slots.fromMs[entry]!, lastMs: slots.lastMs[entry]!, before: slots.before[entry] } // prettier-ignore
    if (slots === this.ifIndexes) return { at: { exporter, ifIndex: number }, told }
    return { at: { exporter, ofport: number, datapathId: slots.datapath[entry]! }, told }
  }
}

/** The entry of a number and a datapath; 0 = there is none. */
function find(slots: NameSlots, exporter: Uint32Array, at: number, number: number, datapath: string): number {
  let entry = slots.first(exporter, at, number)
  while (entry !== 0 && slots.datapath[entry] !== datapath) entry = slots.next(entry)
  return entry
}

/** A number whose first name was told after the record has had it all along, as far as anybody knows. */
function nameAt(slots: NameSlots, entry: number, atMs: number): string {
  const before = slots.before[entry]
  if (before === undefined || atMs >= slots.fromMs[entry]!) return slots.name[entry]!
  return atMs <= before.lastMs ? before.name : ''
}
