/**
 * Exporters by source address. Each has a place, 0 … max-1, for what is kept in arrays, and an id for keys, which is
 * `generation * max + place`: when a place goes to another exporter its id is a new one, so nobody takes state of the old one
 * (its templates, its sequence) for its own.
 */
import { parseIp } from '../identity/addresses.ts'
import { KeyTable } from './key-table.ts'

export interface ExporterOptions {
  max: number
  idleMs: number
  /** `from=to` pairs of addresses: a source to be taken for another exporter. */
  aliases?: readonly string[]
}

export class ExporterTable {
  /** Address under which rows of the exporter at a place are stored, four lanes each: its own, or its alias. */
  readonly address: Uint32Array
  /** How many exporters had a place before its present one. */
  readonly generation: Uint32Array
  /** By place, over all exporters that had it: totals that only rise, as metrics need them. */
  readonly datagrams: Float64Array
  readonly rows: Float64Array
  /** Datagrams whose status was not ok. */
  readonly faults: Float64Array
  /** Told of a place that another exporter has from now on. */
  onBegin: ((place: number) => void) | undefined

  private readonly max: number
  private readonly table: KeyTable
  private readonly used: Uint8Array
  private readonly aliases: ReadonlyMap<string, Uint32Array>
  /** The aliases the other way round. */
  private readonly sources: ReadonlyMap<string, Uint32Array>
  /** The last exporter asked for: bursts come from one. */
  private readonly last = new Uint32Array(4)
  private lastPlace = -1

  constructor({ max, idleMs, aliases = [] }: ExporterOptions) {
    this.max = max
    this.table = new KeyTable(max, idleMs)
    this.used = new Uint8Array(max)
    this.address = new Uint32Array(max * 4)
    this.generation = new Uint32Array(max)
    this.datagrams = new Float64Array(max)
    this.rows = new Float64Array(max)
    this.faults = new Float64Array(max)
    this.aliases = new Map(
      aliases.map((pair) => {
        const [from, to] = pair.split('=') as [string, string]
        // The option's own check has found both to be addresses.
        return [parseIp(from)!.join(), Uint32Array.from(parseIp(to)!)]
      }),
    )
    this.sources = new Map(
      aliases.map((pair) => {
        const [from, to] = pair.split('=') as [string, string]
        return [parseIp(to)!.join(), Uint32Array.from(parseIp(from)!)]
      }),
    )
  }

  get size(): number {
    return this.table.size
  }

  /** Datagrams dropped because no place was left. */
  get refused(): number {
    return this.table.refused
  }

  /** Exporters that lost their place to another after being idle. */
  get evicted(): number {
    return this.table.evicted
  }

  /** Place of the source at `lanes[at .. at+4)`, or -1 when the bound is reached. */
  placeOf(lanes: Uint32Array, at: number, nowMs: number): number {
    const a = lanes[at]!
    const b = lanes[at + 1]!
    const c = lanes[at + 2]!
    const d = lanes[at + 3]!
    const { last } = this
    if (this.lastPlace >= 0 && last[3] === d && last[2] === c && last[1] === b && last[0] === a) {
      this.table.seenMs[this.lastPlace] = nowMs
      return this.lastPlace
    }
    const place = this.table.place(a, b, c, d, nowMs)
    if (place < 0) return -1
    if (this.table.fresh) this.begin(place, lanes.subarray(at, at + 4))
    last[0] = a
    last[1] = b
    last[2] = c
    last[3] = d
    this.lastPlace = place
    return place
  }

  /** Place of the exporter whose rows have the address at `lanes[at .. at+4)`, its alias if it has one; -1 when none has it now. */
  find(lanes: Uint32Array, at: number): number {
    const { table } = this
    const place = table.find(lanes[at]!, lanes[at + 1]!, lanes[at + 2]!, lanes[at + 3]!)
    if (place >= 0 || this.aliases.size === 0) return place
    const from = this.sources.get(lanes.subarray(at, at + 4).join())
    return from === undefined ? -1 : table.find(from[0]!, from[1]!, from[2]!, from[3]!)
  }

  /** Id of the exporter that has a place now. */
  idAt(place: number): number {
    return this.generation[place]! * this.max + place
  }

  /** Source address of the exporter with an id, four lanes; undefined when another has its place now. */
  sourceOf(id: number): Uint32Array | undefined {
    const place = this.placeOfId(id)
    return place < 0 ? undefined : Uint32Array.from({ length: 4 }, (_, word) => this.table.word(place, word))
  }

  /** Place of an id; -1 when another exporter has it now. */
  placeOfId(id: number): number {
    const place = id % this.max
    return this.idAt(place) === id ? place : -1
  }

  private begin(place: number, source: Uint32Array): void {
    this.onBegin?.(place)
    if (this.used[place] === 1) this.generation[place]!++
    this.used[place] = 1
    this.address.set(this.aliases.get(source.join()) ?? source, place * 4)
  }
}

/** Writes four lanes as an operator reads them: `10.0.10.14`, `2001:db8::1`. */
export function formatAddress(lanes: Uint32Array, at = 0): string {
  const bytes = new Uint8Array(lanes.slice(at, at + 4).buffer)
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  if (mapped) return bytes.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
