/** Names of interfaces that exporters tell beside their flow records (counter samples of sFlow), for what OVSDB does not know. */
export interface LearnedNames {
  /** Name of the interface that had an ifIndex on the host of an exporter at a time, '' when it was not told. */
  byIfIndex(exporter: Uint32Array, row: number, ifIndex: number, atMs: number): string
  /** The same of an OpenFlow port; '' also when several bridges of the host have that number. */
  byOfport(exporter: Uint32Array, row: number, ofport: number, atMs: number): string
}

export const NO_NAMES: LearnedNames = { byIfIndex: () => '', byOfport: () => '' }
