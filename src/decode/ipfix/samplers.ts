/**
 * Sampling rates of exporters that are not OVS, by exporter, domain and sampler, as their options data give them; and the counts of
 * their records scaled by them. A ring: the rate learned longest ago goes first.
 */
import { setU64, type FlowBatch } from '../../schema/batch.ts'
import { hash4, KeyIndex } from './key-index.ts'

/** Sampler of records that name none. */
const DEFAULT_SAMPLER = 0xffff_ffff
/** In place of the one sampler that a domain's rate is from. */
const SEVERAL = DEFAULT_SAMPLER
const PROBE = 0

export class Samplers {
  private readonly exporter: Uint32Array
  private readonly domain: Uint32Array
  private readonly sampler: Uint32Array
  private readonly rate: Uint32Array
  /** For the default: the sampler that gave the rate. */
  private readonly source: Uint32Array
  private readonly index = new KeyIndex(
    (e) => hash4(this.exporter[e]!, this.domain[e]!, this.sampler[e]!, 0),
    (a, b) =>
      this.sampler[a] === this.sampler[b] && this.domain[a] === this.domain[b] && this.exporter[a] === this.exporter[b],
  )
  private next = 1

  /** Holds `maxSamplers` rates. */
  constructor(maxSamplers = 65_536) {
    this.exporter = new Uint32Array(maxSamplers + 1)
    this.domain = new Uint32Array(maxSamplers + 1)
    this.sampler = new Uint32Array(maxSamplers + 1)
    this.rate = new Uint32Array(maxSamplers + 1)
    this.source = new Uint32Array(maxSamplers + 1)
  }

  /**
   * 1 in `rate` packets is sampled by `sampler`. Records that name no sampler get the rate of their domain, if it has one sampler or
   * all have had the same rate; else 0 (not known).
   */
  learn(exporterId: number, domain: number, sampler: number, rate: number): void {
    this.put(exporterId, domain, sampler, rate, sampler)
    const known = this.find(exporterId, domain, DEFAULT_SAMPLER)
    if (known < 0 || this.source[known] === sampler) this.put(exporterId, domain, DEFAULT_SAMPLER, rate, sampler)
    else this.put(exporterId, domain, DEFAULT_SAMPLER, this.rate[known] === rate ? rate : 0, SEVERAL)
  }

  /** The rate of a sampler, or of the domain as a whole; 0 = not known. */
  rateOf(exporterId: number, domain: number, sampler = DEFAULT_SAMPLER): number {
    const entry = this.find(exporterId, domain, sampler)
    return entry < 0 ? 0 : this.rate[entry]!
  }

  /**
   * Multiplies packets, bytes and l2_bytes of `n` rows by their sampling rate, and keeps the packets as they came in `samples`.
   * `sampling` tells what the records have put into sampling_rate; after it the rate stands there.
   */
  scale(
    out: FlowBatch,
    row: number,
    n: number,
    sampling: 'none' | 'rate' | 'sampler',
    exporterId: number,
    domain: number,
  ): void {
    const { sampling_rate } = out.columns
    const ofDomain = sampling === 'none' ? this.rateOf(exporterId, domain) : 0
    if (sampling === 'none' && ofDomain === 0) return
    for (const end = row + n; row < end; row++) {
      const said = sampling_rate[row]!
      const rate = sampling === 'none' ? ofDomain : sampling === 'rate' ? said : this.rateOf(exporterId, domain, said)
      sampling_rate[row] = rate
      if (rate > 1) scaleRow(out, row, rate)
    }
  }

  private find(exporterId: number, domain: number, sampler: number): number {
    this.exporter[PROBE] = exporterId
    this.domain[PROBE] = domain
    this.sampler[PROBE] = sampler
    return this.index.find(PROBE)
  }

  private put(exporterId: number, domain: number, sampler: number, rate: number, source: number): void {
    let entry = this.find(exporterId, domain, sampler)
    if (entry < 0) {
      entry = this.next
      this.next = entry + 1 === this.rate.length ? 1 : entry + 1
      this.index.delete(entry)
      this.exporter[entry] = exporterId
      this.domain[entry] = domain
      this.sampler[entry] = sampler
      this.index.set(entry)
    }
    this.rate[entry] = rate
    this.source[entry] = source
  }
}

/** Counts past 2^53 are no counts: they are held there. */
function scaleRow(out: FlowBatch, row: number, rate: number): void {
  const { packets, bytes, l2_bytes, samples } = out.columns
  samples[row] = packets[row * 2 + 1] === 0 ? packets[row * 2]! : 0xffff_ffff
  for (const column of [packets, bytes, l2_bytes]) {
    const value = (column[row * 2 + 1]! * 0x1_0000_0000 + column[row * 2]!) * rate
    setU64(column, row, Math.min(value, Number.MAX_SAFE_INTEGER))
  }
}
