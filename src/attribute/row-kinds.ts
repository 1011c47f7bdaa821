/**
 * Of what kind each row of a chunk is, as a key by which it is known again (repeats.ts):
 *
 *   short   IPv4 without a tunnel: its key is in one cache line
 *   long    any other: IPv6, not IP, a tunnel
 *   none    it has what does not fit into a key, and is not looked for
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { BatchMemory } from '../schema/batch.ts'
import { PROTOCOL } from './codes.ts'
import { CHUNK } from './found.ts'
import type { Slice } from './slice.ts'

/** Bits of what shares a word; records beyond are not remembered. */
const HOST_BITS = 20
const VLAN_BITS = 12
const MAPPED = 0xffff0000 | 0
/** In the kinds of a short row: wide (slice.ts), and whether names of the interfaces in and out were exported. */
const WIDE = 1 << 12
export const IN_NAMED = 1 << 13
const OUT_NAMED = 1 << 14
const EPOCH_SHIFT = 16

export class RowKinds {
  /** 1 for short rows. */
  readonly short = new Uint8Array(CHUNK)
  /** Protocol, direction, what the output is, of short rows the bits above, and the epoch. */
  readonly kind = new Int32Array(CHUNK)
  /** Host and VLAN. */
  readonly where = new Int32Array(CHUNK)
  /** The long rows of the chunk, and how many. */
  readonly long = new Uint16Array(CHUNK)
  longs = 0
  wide = false

  /** Protocol of a row that was read. */
  protocol(i: number): number {
    return this.kind[i]! & 0xf
  }

  /** Nothing of the next chunk is looked for. */
  none(n: number): void {
    this.short.fill(0, 0, n)
    this.longs = 0
  }

  /** Reads `n` rows from row `first` of the memory on. `hosts` are those of their exporters. */
  read(
    { u8, u16, u32, layout }: BatchMemory,
    first: number,
    n: number,
    hosts: Int32Array,
    { wide, tunnels }: Slice,
    epoch: number,
    snapshot: IdentitySnapshot,
  ): void {
    const { short, kind, where, long } = this
    this.wide = wide
    // Out of the loop: the layout has too many names for a quick look at each.
    const protocols = layout.first.export_protocol + first
    const directions = layout.first.flow_direction + first
    const outputs = layout.first.output_kind + first
    const sources = layout.first.src_addr + first * 4
    const destinations = layout.first.dst_addr + first * 4
    const agents = layout.first.agent + first * 4
    const exporters = layout.first.exporter + first * 4
    const vlans = layout.first.vlan + first
    const sourceMacs = layout.first.src_mac + first * 2 + 1
    const destinationMacs = layout.first.dst_mac + first * 2 + 1
    const inNames = layout.first.in_if_name + first
    const outNames = layout.first.out_if_name + first
    const tunnelTypes = layout.first.tunnel_type + first
    const tunnelKeys = layout.first.tunnel_key + first
    const tunnelSources = layout.first.tunnel_src_addr + first * 4
    const tunnelDestinations = layout.first.tunnel_dst_addr + first * 4
    const bits = (epoch << EPOCH_SHIFT) | (wide ? WIDE : 0)
    let longs = 0
    for (let i = 0; i < n; i++) {
      const protocol = u8[protocols + i]!
      let host = hosts[i]!
      if (protocol === PROTOCOL.sflow5) {
        const agent = agents + i * 4
        const exporter = exporters + i * 4
        if (u32[agent] !== u32[exporter] || u32[agent + 3] !== u32[exporter + 3])
          host = snapshot.hostOf(u32[agent]! | 0, u32[agent + 1]! | 0, u32[agent + 2]! | 0, u32[agent + 3]! | 0) || host
      }
      let kinds = bits | protocol | (u8[directions + i]! << 4) | (u8[outputs + i]! << 8)
      let beyond = host >>> HOST_BITS
      let at = host
      if (wide) {
        const vlan = u16[vlans + i]!
        at |= vlan << HOST_BITS
        beyond |= (vlan >>> VLAN_BITS) | ((u32[sourceMacs + i * 2]! | u32[destinationMacs + i * 2]!) >>> 16)
        kinds |= (u32[inNames + i] === 0 ? 0 : IN_NAMED) | (u32[outNames + i] === 0 ? 0 : OUT_NAMED)
      }
      const source = sources + i * 4
      const destination = destinations + i * 4
      let more =
        u32[source]! |
        u32[source + 1]! |
        (u32[source + 2]! ^ MAPPED) |
        u32[destination]! |
        u32[destination + 1]! |
        (u32[destination + 2]! ^ MAPPED)
      if (tunnels) {
        const from = tunnelSources + i * 4
        const to = tunnelDestinations + i * 4
        more |=
          u8[tunnelTypes + i]! |
          u32[tunnelKeys + i]! |
          u32[from]! |
          u32[from + 1]! |
          u32[from + 2]! |
          u32[from + 3]! |
          u32[to]! |
          u32[to + 1]! |
          u32[to + 2]! |
          u32[to + 3]!
      }
      kind[i] = kinds
      where[i] = at
      short[i] = (beyond | more) === 0 ? 1 : 0
      if (beyond === 0 && more !== 0) long[longs++] = i
    }
    this.longs = longs
  }
}
