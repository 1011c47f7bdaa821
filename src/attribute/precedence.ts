/**
 * When a bridge is reported by several sources at once, one of them counts and the others are duplicates. Which one, as
 * tables over all 64 combinations of REPORTS.
 */
import { REPORTS } from '../identity/snapshot/vantage.ts'

export const SOURCES = ['ipfix', 'netflow', 'sflow', 'mirror'] as const
export type Source = (typeof SOURCES)[number]
export const DEFAULT_PRECEDENCE: readonly Source[] = SOURCES

const COMBINATIONS = 64

/** Number of a source, 1 …; 0 = none. */
export const SOURCE = { none: 0, ipfix: 1, netflow: 2, sflow: 3, mirror: 4 } as const

/** Bits that report what enters by an interface, and what leaves by it. NetFlow and sFlow never report the latter. */
const ENTERING: Readonly<Record<Source, number>> = {
  ipfix: REPORTS.ipfix_ingress,
  netflow: REPORTS.netflow,
  sflow: REPORTS.sflow,
  mirror: REPORTS.mirror_source,
}
const LEAVING: Readonly<Record<Source, number>> = {
  ipfix: REPORTS.ipfix_egress,
  netflow: 0,
  sflow: 0,
  mirror: REPORTS.mirror_destination,
}

/** Any of them: what enters by the interface is reported. */
export const ANY_ENTERING = Object.values(ENTERING).reduce((all, bits) => all | bits, 0)

export class Precedence {
  /** Source that counts what enters by an interface with these reports. */
  readonly entering = new Uint8Array(COMBINATIONS)
  /** Source that counts what leaves by it, when that is reported there; else 0: then the sender's own record counts. */
  readonly leaving = new Uint8Array(COMBINATIONS)

  constructor(order: readonly Source[] = DEFAULT_PRECEDENCE) {
    const sources = [...order, ...SOURCES.filter((source) => !order.includes(source))]
    for (let reports = 0; reports < COMBINATIONS; reports++) {
      const entering = sources.find((source) => (reports & ENTERING[source]) !== 0)
      // The first source that reports the interface at all speaks for it: when that is NetFlow, a mirror beside it is not
      // asked for what leaves, since the senders' NetFlow records hold it already.
      const first = sources.find((source) => (reports & (ENTERING[source] | LEAVING[source])) !== 0)
      this.entering[reports] = entering === undefined ? SOURCE.none : SOURCE[entering]
      this.leaving[reports] = first !== undefined && (reports & LEAVING[first]) !== 0 ? SOURCE[first] : SOURCE.none
    }
  }
}
