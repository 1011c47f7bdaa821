/**
 * What the counter samples of sFlow tell of interfaces (records 1, 1004 and 1005 of Open vSwitch): ifIndex and (datapath,
 * OpenFlow port) → name, by exporter. The owner bounds how many there are.
 *
 * A name holds from when it was first told. Between the last time of one name and the first of the next nobody knows which held.
 */
import type { LearnedNames } from '../attribute/learned.ts'
import type { InterfaceCounters } from '../decode/decoder.ts'

/** Bridges of one exporter that have the same OpenFlow port; a host has a few. Of more, none of the further ones is known by it. */
const MOST_DATAPATHS = 64

interface Told {
  name: string
  fromMs: number
  lastMs: number
  /** What had the number before. */
  before: { name: string; lastMs: number } | undefined
  /** Which other thread told it; undefined = it was told here. */
  by: number | undefined
}

/** Of one datapath. */
interface ToldOf extends Told {
  datapathId: string
}

interface Exporter {
  /** Its own, so that there is one such text however many refer to it. */
  key: string
  byIfIndex: Map<number, Told>
  /** OpenFlow port → of each datapath, few of them: a list takes a fifth of what a Map does. */
  byOfport: Map<number, ToldOf[]>
}

/** A number of an exporter's. */
type Slot = { exporter: string } & ({ ifIndex: number } | { ofport: number; datapathId: string })

/** What one thread learned, for the others; without `told` the name is forgotten. Plain data. */
export interface LearnedNews {
  at: Slot
  told: Omit<Told, 'by'> | undefined
}

/** What was put, for taking it out again. */
export interface LearnedKey {
  exporter: string
  ifIndex: number
  ofport: number
  datapathId: string
}

export class LearnedInterfaces implements LearnedNames {
  /** Names that were new. */
  changes = 0
  /** Told of what is learned and forgotten here, not of what was heard. */
  onNews: ((news: LearnedNews) => void) | undefined
  private readonly exporters = new Map<string, Exporter>()
  /** The last exporter asked for: rows of one come together. */
  private readonly last = new Uint32Array(4)
  private lastExporter: Exporter | undefined
  private stale = true

  /** Takes over what a counter sample tells; undefined when it tells no name. */
  put(exporter: Uint32Array, counters: InterfaceCounters, nowMs: number): LearnedKey | undefined {
    const { ifIndex, ofport, datapathId, name } = counters
    if (name === '') return undefined
    const key = this.find(exporter, 0)?.key ?? exporter.join()
    this.tell({ exporter: key, ifIndex }, name, nowMs)
    if (ofport >= 0) this.tell({ exporter: key, ofport, datapathId }, name, nowMs)
    return { exporter: key, ifIndex, ofport, datapathId }
  }

  remove({ exporter, ifIndex, ofport, datapathId }: LearnedKey): void {
    for (const at of [
      { exporter, ifIndex },
      { exporter, ofport, datapathId },
    ]) {
      if (this.get(at) === undefined) continue
      this.set(at, undefined)
      this.onNews?.({ at, told: undefined })
    }
  }

  /** Takes over what thread `by` learned or forgot. What was told here goes before it. */
  hear({ at, told }: LearnedNews, by: number): void {
    const known = this.get(at)
    if (known !== undefined && known.by === undefined && told?.name === known.name) return
    if (told === undefined && known?.by !== by) return
    this.set(at, told && { ...told, by })
    this.changes++
  }

  /** Forgets what thread `by` told: it is gone, and its counters with it. */
  forget(by: number): void {
    for (const [{ at, told }] of [...this.heard()].filter((one) => one[1] === by))
      if (told !== undefined) this.set(at, undefined)
  }

  /** All that other threads told, and which. */
  *heard(): Generator<[news: LearnedNews, by: number]> {
    for (const [exporter, { byIfIndex, byOfport }] of this.exporters) {
      for (const [ifIndex, { by, ...told }] of byIfIndex)
        if (by !== undefined) yield [{ at: { exporter, ifIndex }, told }, by]
      for (const [ofport, datapaths] of byOfport)
        for (const { datapathId, by, ...told } of datapaths)
          if (by !== undefined) yield [{ at: { exporter, ofport, datapathId }, told }, by]
    }
  }

  byIfIndex(exporter: Uint32Array, row: number, ifIndex: number, atMs: number): string {
    const told = this.find(exporter, row)?.byIfIndex.get(ifIndex)
    return told === undefined ? '' : nameAt(told, atMs)
  }

  byOfport(exporter: Uint32Array, row: number, ofport: number, atMs: number): string {
    const datapaths = this.find(exporter, row)?.byOfport.get(ofport)
    if (datapaths === undefined) return ''
    let found = ''
    for (const told of datapaths) {
      const name = nameAt(told, atMs)
      if (name === '' || name === found) continue
      if (found !== '') return ''
      found = name
    }
    return found
  }

  private tell(at: Slot, name: string, nowMs: number): void {
    const known = this.get(at)
    if (known?.name === name) {
      known.lastMs = nowMs
      known.by = undefined
      return
    }
    const before = known === undefined ? undefined : { name: known.name, lastMs: known.lastMs }
    const told = { name, fromMs: nowMs, lastMs: nowMs, before }
    this.set(at, { ...told, by: undefined })
    this.changes++
    this.onNews?.({ at, told })
  }

  private get(at: Slot): Told | undefined {
    const known = this.exporters.get(at.exporter)
    if ('ifIndex' in at) return known?.byIfIndex.get(at.ifIndex)
    return known?.byOfport.get(at.ofport)?.find(({ datapathId }) => datapathId === at.datapathId)
  }

  private set(at: Slot, told: Told | undefined): void {
    let known = this.exporters.get(at.exporter)
    if (known === undefined) {
      known = { key: at.exporter, byIfIndex: new Map(), byOfport: new Map() }
      this.exporters.set(at.exporter, known)
      this.stale = true
    }
    if ('ifIndex' in at) put(known.byIfIndex, at.ifIndex, told)
    else {
      const { datapathId } = at
      const others = known.byOfport.get(at.ofport)?.filter((one) => one.datapathId !== datapathId) ?? []
      if (told !== undefined && others.length >= MOST_DATAPATHS) return
      const datapaths = told === undefined ? others : [...others, { ...told, datapathId }]
      put(known.byOfport, at.ofport, datapaths.length === 0 ? undefined : datapaths)
    }
    if (known.byIfIndex.size > 0 || known.byOfport.size > 0) return
    this.exporters.delete(at.exporter)
    this.stale = true
  }

  private find(lanes: Uint32Array, row: number): Exporter | undefined {
    const { last } = this
    const at = row * 4
    const same =
      !this.stale &&
      last[3] === lanes[at + 3] &&
      last[2] === lanes[at + 2] &&
      last[1] === lanes[at + 1] &&
      last[0] === lanes[at]
    if (same) return this.lastExporter
    for (let i = 0; i < 4; i++) last[i] = lanes[at + i]!
    this.stale = false
    this.lastExporter = this.exporters.size === 0 ? undefined : this.exporters.get(last.join())
    return this.lastExporter
  }
}

function put<K, V>(into: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) into.delete(key)
  else into.set(key, value)
}

/** A number whose first name was told after the record has had it all along, as far as anybody knows. */
function nameAt({ name, fromMs, before }: Told, atMs: number): string {
  if (before === undefined || atMs >= fromMs) return name
  return atMs <= before.lastMs ? before.name : ''
}
