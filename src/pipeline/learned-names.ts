/**
 * What the counter samples of sFlow tell of interfaces (records 1, 1004 and 1005 of Open vSwitch): ifIndex and (datapath,
 * OpenFlow port) → name, by exporter. The owner bounds how many there are.
 *
 * A name holds from when it was first told. Between the last time of one name and the first of the next nobody knows which held.
 */
import type { LearnedNames } from '../attribute/learned.ts'
import type { InterfaceCounters } from '../decode/decoder.ts'

interface Told {
  name: string
  fromMs: number
  lastMs: number
  /** What had the number before. */
  before: { name: string; lastMs: number } | undefined
}

interface Exporter {
  byIfIndex: Map<number, Told>
  /** OpenFlow port → by datapath id. */
  byOfport: Map<number, Map<string, Told>>
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
  private readonly exporters = new Map<string, Exporter>()
  /** The last exporter asked for: rows of one come together. */
  private readonly last = new Uint32Array(4)
  private lastExporter: Exporter | undefined
  private stale = true

  /** Takes over what a counter sample tells; undefined when it tells no name. */
  put(exporter: Uint32Array, counters: InterfaceCounters, nowMs: number): LearnedKey | undefined {
    const { ifIndex, ofport, datapathId, name } = counters
    if (name === '') return undefined
    const key = exporter.join()
    let known = this.exporters.get(key)
    if (known === undefined) {
      known = { byIfIndex: new Map(), byOfport: new Map() }
      this.exporters.set(key, known)
      this.stale = true
    }
    if (tell(known.byIfIndex, ifIndex, name, nowMs)) this.changes++
    if (ofport >= 0) {
      const datapaths = known.byOfport.get(ofport) ?? new Map<string, Told>()
      tell(datapaths, datapathId, name, nowMs)
      known.byOfport.set(ofport, datapaths)
    }
    return { exporter: key, ifIndex, ofport, datapathId }
  }

  remove({ exporter, ifIndex, ofport, datapathId }: LearnedKey): void {
    const known = this.exporters.get(exporter)
    if (known === undefined) return
    known.byIfIndex.delete(ifIndex)
    const datapaths = known.byOfport.get(ofport)
    datapaths?.delete(datapathId)
    if (datapaths?.size === 0) known.byOfport.delete(ofport)
    if (known.byIfIndex.size > 0) return
    this.exporters.delete(exporter)
    this.stale = true
  }

  byIfIndex(exporter: Uint32Array, row: number, ifIndex: number, atMs: number): string {
    const told = this.find(exporter, row)?.byIfIndex.get(ifIndex)
    return told === undefined ? '' : nameAt(told, atMs)
  }

  byOfport(exporter: Uint32Array, row: number, ofport: number, atMs: number): string {
    const datapaths = this.find(exporter, row)?.byOfport.get(ofport)
    if (datapaths === undefined) return ''
    let found = ''
    for (const told of datapaths.values()) {
      const name = nameAt(told, atMs)
      if (name === '' || name === found) continue
      if (found !== '') return ''
      found = name
    }
    return found
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

/** Whether the name is new there. */
function tell<K>(into: Map<K, Told>, key: K, name: string, nowMs: number): boolean {
  const told = into.get(key)
  if (told?.name === name) {
    told.lastMs = nowMs
    return false
  }
  const before = told === undefined ? undefined : { name: told.name, lastMs: told.lastMs }
  into.set(key, { name, fromMs: nowMs, lastMs: nowMs, before })
  return true
}

/** A number whose first name was told after the record has had it all along, as far as anybody knows. */
function nameAt({ name, fromMs, before }: Told, atMs: number): string {
  if (before === undefined || atMs >= fromMs) return name
  return atMs <= before.lastMs ? before.name : ''
}
