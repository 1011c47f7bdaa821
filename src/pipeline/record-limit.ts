/**
 * The rate limit of exporters: of one that sends more records than `perSecond`, one in k is kept, and stands for k (kept_one_in,
 * attribute/rate-limit.ts).
 *
 * k follows from how many records came before, never from what is in the record at hand, and each record falls by a die of its own:
 * so whatever an exporter sends, k times what is kept is right on average. A second begins with the k that the one before needed; within
 * it k doubles each time that k times the limit has come, so a burst from nothing keeps no more than the limit and half of it a doubling.
 *
 * The die of each exporter is Mulberry32 from a seed of the process: nobody outside can tell which record falls.
 */
import { randomInt } from 'node:crypto'
import type { Columns } from '../schema/columns.ts'

/** In `kept_one_in` until the batch is sealed: the row is left out. */
export const LEFT_OUT = 0xffff_ffff
const WINDOW_MS = 1_000
/** An exporter may not be thinned further, so that k fits its column and k² a float. */
const MOST = 0x00ff_ffff

export class RecordLimit {
  /** Records a second of one exporter; 0 = no limit. May be changed at any time. */
  perSecond: number
  /** Records left out, by place of the exporter. */
  readonly leftOut: Float64Array
  private readonly windowMs: Float64Array
  private readonly arrived: Float64Array
  private readonly k: Uint32Array
  private readonly dice: Uint32Array

  constructor(perSecond: number, maxExporters: number, seed = randomInt(1, 0x7fff_ffff)) {
    this.perSecond = perSecond
    this.leftOut = new Float64Array(maxExporters)
    this.windowMs = new Float64Array(maxExporters)
    this.arrived = new Float64Array(maxExporters)
    this.k = new Uint32Array(maxExporters)
    this.dice = Uint32Array.from({ length: maxExporters }, (_, place) => Math.imul(seed, 2 * place + 1) | 1)
  }

  /** 1 in how many records of an exporter is kept now; 0 while none is left out. */
  keptOneIn(place: number): number {
    return this.perSecond > 0 && this.k[place]! > 1 ? this.k[place]! : 0
  }

  /** Decides on rows `from … to − 1`, all of the exporter at `place`; how many are left out. Cheap where there is no limit. */
  mark({ kept_one_in }: Columns, from: number, to: number, place: number, nowMs: number): number {
    const { perSecond, arrived } = this
    if (perSecond === 0) return 0
    const passed = nowMs - this.windowMs[place]!
    // Before: the clock was set back.
    if (passed >= WINDOW_MS || passed < 0) this.turn(place, nowMs, passed)
    let k = this.k[place]!
    let out = 0
    for (let row = from; row < to; row++) {
      if (++arrived[place]! > k * perSecond && k < MOST) k *= 2
      if (k === 1) continue
      if (this.roll(place) * k < 1) kept_one_in[row] = k
      else {
        kept_one_in[row] = LEFT_OUT
        out++
      }
    }
    this.k[place] = k
    this.leftOut[place]! += out
    return out
  }

  private turn(place: number, nowMs: number, passedMs: number): void {
    const fresh = passedMs < 0 || this.windowMs[place] === 0
    const rate = fresh ? 0 : (this.arrived[place]! * WINDOW_MS) / passedMs
    this.k[place] = Math.min(MOST, Math.max(1, Math.ceil(rate / this.perSecond)))
    this.arrived[place] = 0
    this.windowMs[place] = nowMs
  }

  /** 0 ≤ number < 1. */
  private roll(place: number): number {
    const die = (this.dice[place]! + 0x6d2b_79f5) | 0
    this.dice[place] = die
    let t = Math.imul(die ^ (die >>> 15), 1 | die)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
