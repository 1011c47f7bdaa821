/** The address of one end of a record, copied out of the columns as signed words (see identity/lanes.ts). */

/** What sort of IP address it is. */
export const ADDRESS = {
  /** The record has none: not IP. */
  none: 0,
  unicast: 1,
  /** Multicast or broadcast. */
  group: 2,
  /** Means something only on its link: unspecified, link-local. */
  link: 3,
} as const

const MAPPED = 0xffff0000 | 0
const METADATA = 0xfea9fea9 | 0
/** fe80:: */
const LINK_LOCAL = 0x80fe
const ALL_ONES = 0xffffffff | 0

export class Station {
  low = 0
  high = 0
  a0 = 0
  a1 = 0
  a2 = 0
  a3 = 0
  /** One of ADDRESS. */
  sort = 0
  hasMac = false

  /** Reads the end whose columns are given. */
  read(mac: Uint32Array, address: Uint32Array, row: number): void {
    this.low = mac[row * 2]! | 0
    this.high = mac[row * 2 + 1]! | 0
    this.hasMac = (this.low | this.high) !== 0
    this.a0 = address[row * 4]! | 0
    this.a1 = address[row * 4 + 1]! | 0
    this.a2 = address[row * 4 + 2]! | 0
    this.a3 = address[row * 4 + 3]! | 0
    this.sort = sortOf(this.a0, this.a1, this.a2, this.a3)
  }

  /** Broadcast or multicast MAC: the lowest bit of the first byte. */
  get groupMac(): boolean {
    return this.hasMac && (this.high & 0x0100) !== 0
  }

  /** 169.254.169.254 or fe80::a9fe:a9fe: link-local by its form, but a service of the cloud. */
  get metadata(): boolean {
    if (this.a3 !== METADATA) return false
    return this.a2 === MAPPED || (this.a0 === LINK_LOCAL && (this.a1 | this.a2) === 0)
  }

  sameAddress(other: Station): boolean {
    return this.a3 === other.a3 && this.a2 === other.a2 && this.a1 === other.a1 && this.a0 === other.a0
  }
}

/** ADDRESS of four lanes; their bytes are in network order, so the first byte is the lowest of lane 0. */
export function sortOf(a0: number, a1: number, a2: number, a3: number): number {
  if ((a0 | a1) === 0 && a2 === MAPPED) {
    const first = a3 & 0xff
    if (first >= 224) return first < 240 || a3 === ALL_ONES ? ADDRESS.group : ADDRESS.unicast
    if (first === 0 || (first === 169 && (a3 & 0xff00) === 254 << 8)) return ADDRESS.link
    return ADDRESS.unicast
  }
  if ((a0 | a1 | a2 | a3) === 0) return ADDRESS.none
  const first = a0 & 0xff
  if (first === 0xff) return ADDRESS.group
  if (first === 0xfe && (a0 & 0xc000) === 0x8000) return ADDRESS.link
  return ADDRESS.unicast
}
