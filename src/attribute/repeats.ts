/**
 * Records that come again: an exporter tells of a flow each active timeout, and everything that attribution reads of such a record is the
 * same. Its answer is remembered by just that, compared in full.
 *
 *   entry   32 words, two cache lines: 28 that attribution reads (the order is that of `read`) | number of the answer | interfaces | bridge
 *
 * Direct-mapped: a record displaces another in its place, so the size is bounded, and it grows only while records displace each other. One
 * is spared once each time it comes: else two that come in turn would displace each other for ever.
 * What is remembered is of one model and of what hosts without OVSDB were seen to report; whoever changes either calls `forget`.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { FlowBatch } from '../schema/batch.ts'
import { PROTOCOL } from './codes.ts'
import { CHUNK, type Found } from './found.ts'

const ENTRY_BITS = 5
const KEY_WORDS = 28
const NUMBER = 28
const IN_IF = 29
const OUT_IF = 30
const BRIDGE = 31
/** Beside the number: no other has wanted the place since the record last came. */
const WANTED = 0x8000_0000 | 0
const FIRST_BITS = 11
/** 16 MiB a thread. */
const MOST_BITS = 17
/** Bits of what shares a word; records beyond are not remembered. */
const HOST_BITS = 20
const VLAN_BITS = 12
const EPOCHS = 1 << 16
/**
 * Where fewer than one in LEAST of WINDOW rows come again, none are looked for in the next RESTS windows. Four times what can be
 * remembered: rows that come again only after all others have to be seen to.
 */
const WINDOW = 1 << (MOST_BITS + 2)
const LEAST = 16
const RESTS = 7

export class Repeats {
  /** Number of the answer of each row of the chunk; 0 = the row is not known. */
  readonly numbers = new Uint32Array(CHUNK)
  /** 1 for rows that are to be remembered. */
  readonly known = new Uint8Array(CHUNK)
  /** So that no compiler finds the reads of `touch` useless. */
  touched = 0
  /** Rows of the chunk that are not known. */
  missing = 0
  private bits = FIRST_BITS
  private entries = new Int32Array(0)
  private epoch = 1
  private displaced = 0
  private readonly keys = new Int32Array(CHUNK << ENTRY_BITS)
  private readonly places = new Uint32Array(CHUNK)
  /** 1 for rows whose key is in `keys`. */
  private readonly keyed = new Uint8Array(CHUNK)
  private rows = 0
  private again = 0
  private rest = 0

  /** Nothing that is known holds any more. */
  forget(): void {
    if (++this.epoch < EPOCHS) return
    this.epoch = 1
    this.entries.fill(0)
  }

  /** Looks for rows `row … row + n − 1`; puts the interfaces and bridges of those that are known into `found`. */
  find(batch: FlowBatch, row: number, n: number, hosts: Int32Array, snapshot: IdentitySnapshot, found: Found): void {
    this.missing = n
    this.numbers.fill(0, 0, n)
    if (this.rest > 0) {
      this.rest -= n
      this.keyed.fill(0, 0, n)
      return
    }
    if (this.entries.length === 0) this.entries = new Int32Array(1 << (this.bits + ENTRY_BITS))
    this.read(batch, row, n, hosts, snapshot)
    this.touch(n)
    this.compare(n, found)
    this.rows += n
    this.again += n - this.missing
    if (this.rows < WINDOW) return
    if (this.again * LEAST < this.rows) this.rest = RESTS * WINDOW
    this.rows = this.again = 0
  }

  /** Remembers those of the first `n` rows of the chunk that `known` says, with their `numbers`; `found` holds what was found. */
  keep(n: number, found: Found): void {
    for (let i = 0; i < n; i++) if (this.known[i] === 1 && this.keyed[i] === 1) this.put(i, this.numbers[i]!, found)
  }

  private put(i: number, number: number, found: Found): void {
    const { entries, keys } = this
    const at = this.places[i]! << ENTRY_BITS
    const key = i << ENTRY_BITS
    const there = entries[at + NUMBER]!
    if (there !== 0 && entries[at]! >>> 16 === this.epoch) {
      this.displaced++
      entries[at + NUMBER] = there & ~WANTED
      if (there < 0) return
    }
    for (let word = 0; word < KEY_WORDS; word++) entries[at + word] = keys[key + word]!
    entries[at + NUMBER] = number | WANTED
    entries[at + IN_IF] = found.inIfs[i]!
    entries[at + OUT_IF] = found.outIfs[i]!
    entries[at + BRIDGE] = found.bridges[i]!
  }

  /** Reads both lines of each entry, so that the processor waits for many at once. */
  private touch(n: number): void {
    const { entries, places } = this
    let touched = 0
    for (let i = 0; i < n; i++) {
      const at = places[i]! << ENTRY_BITS
      touched ^= entries[at]! ^ entries[at + 16]!
    }
    this.touched = touched
  }

  private compare(n: number, found: Found): void {
    const { entries, keys, places, keyed, numbers } = this
    for (let i = 0; i < n; i++) {
      const at = places[i]! << ENTRY_BITS
      const key = i << ENTRY_BITS
      let word = keyed[i] === 0 ? KEY_WORDS + 1 : 0
      while (word < KEY_WORDS && entries[at + word] === keys[key + word]) word++
      if (word !== KEY_WORDS) continue
      numbers[i] = entries[at + NUMBER]! & ~WANTED
      entries[at + NUMBER]! |= WANTED
      found.inIfs[i] = entries[at + IN_IF]!
      found.outIfs[i] = entries[at + OUT_IF]!
      found.bridges[i] = entries[at + BRIDGE]!
      this.missing--
    }
  }

  /** The keys of the rows, and where they would be. Through the memory's views: see Names. */
  private read(
    { memory, base }: FlowBatch,
    from: number,
    n: number,
    hosts: Int32Array,
    snapshot: IdentitySnapshot,
  ): void {
    const { keys, places, keyed } = this
    if (this.displaced > 1 << this.bits && this.bits < MOST_BITS) this.grow()
    const shift = 32 - this.bits
    const epoch = this.epoch << 16
    const { u8, u16, u32, layout } = memory
    // Out of the loop: the layout has too many names for a quick look at each.
    const {
      export_protocol: exportProtocolAt,
      agent: agentAt,
      exporter: exporterAt,
      vlan: vlanAt,
      src_mac: srcMacAt,
      dst_mac: dstMacAt,
      flow_direction: flowDirectionAt,
      output_kind: outputKindAt,
      tunnel_type: tunnelTypeAt,
      in_if: inIfAt,
      out_if: outIfAt,
      in_if_name: inIfNameAt,
      out_if_name: outIfNameAt,
      src_addr: srcAddrAt,
      dst_addr: dstAddrAt,
      observation_domain: observationDomainAt,
      observation_point: observationPointAt,
      tunnel_key: tunnelKeyAt,
      tunnel_src_addr: tunnelSrcAddrAt,
      tunnel_dst_addr: tunnelDstAddrAt,
    } = layout.first
    for (let i = 0; i < n; i++) {
      const row = base + from + i
      const two = row * 2
      const four = row * 4
      const key = i << ENTRY_BITS
      const protocol = u8[exportProtocolAt + row]!
      let host = hosts[i]!
      if (protocol === PROTOCOL.sflow5) {
        const agent = agentAt + four
        const exporter = exporterAt + four
        if (u32[agent] !== u32[exporter] || u32[agent + 3] !== u32[exporter + 3])
          host = snapshot.hostOf(u32[agent]! | 0, u32[agent + 1]! | 0, u32[agent + 2]! | 0, u32[agent + 3]! | 0) || host
      }
      const vlan = u16[vlanAt + row]!
      const sourceHigh = u32[srcMacAt + two + 1]!
      const destinationHigh = u32[dstMacAt + two + 1]!
      keyed[i] = (host >>> HOST_BITS) + (vlan >>> VLAN_BITS) + ((sourceHigh | destinationHigh) >>> 16) === 0 ? 1 : 0
      const kinds =
        protocol | (u8[flowDirectionAt + row]! << 4) | (u8[outputKindAt + row]! << 8) | (u8[tunnelTypeAt + row]! << 12)
      const where = host | (vlan << HOST_BITS)
      keys[key] = kinds | epoch
      keys[key + 1] = where
      const inIf = (keys[key + 2] = u32[inIfAt + row]!)
      const outIf = (keys[key + 3] = u32[outIfAt + row]!)
      const inName = (keys[key + 4] = u32[inIfNameAt + row]!)
      const outName = (keys[key + 5] = u32[outIfNameAt + row]!)
      const sourceMac = (keys[key + 6] = u32[srcMacAt + two]!)
      const destinationMac = (keys[key + 7] = u32[dstMacAt + two]!)
      keys[key + 8] = sourceHigh | (destinationHigh << 16)
      const source = srcAddrAt + four
      keys[key + 9] = u32[source]!
      keys[key + 10] = u32[source + 1]!
      keys[key + 11] = u32[source + 2]!
      const sourceLow = (keys[key + 12] = u32[source + 3]!)
      const destination = dstAddrAt + four
      keys[key + 13] = u32[destination]!
      keys[key + 14] = u32[destination + 1]!
      keys[key + 15] = u32[destination + 2]!
      const destinationLow = (keys[key + 16] = u32[destination + 3]!)
      keys[key + 17] = u32[observationDomainAt + row]!
      keys[key + 18] = u32[observationPointAt + row]!
      const tunnel = (keys[key + 19] = u32[tunnelKeyAt + row]!)
      const outer = tunnelSrcAddrAt + four
      keys[key + 20] = u32[outer]!
      keys[key + 21] = u32[outer + 1]!
      keys[key + 22] = u32[outer + 2]!
      keys[key + 23] = u32[outer + 3]!
      const outerTo = tunnelDstAddrAt + four
      keys[key + 24] = u32[outerTo]!
      keys[key + 25] = u32[outerTo + 1]!
      keys[key + 26] = u32[outerTo + 2]!
      keys[key + 27] = u32[outerTo + 3]!
      const hash =
        Math.imul(sourceLow, 0x9e3779b1) +
        Math.imul(destinationLow, 0x85ebca77) +
        Math.imul(inIf ^ (inName << 16), 0xc2b2ae3d) +
        Math.imul(outIf ^ (outName << 16) ^ tunnel, 0x27d4eb2f) +
        Math.imul(sourceMac, 0x165667b1) +
        Math.imul(destinationMac, 0x2c1b3c6d) +
        Math.imul(where ^ (kinds << 24), 0x297a2d39)
      places[i] = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> shift
    }
  }

  /** Twice the room, and nothing in it: it is filled again by the next rows. */
  private grow(): void {
    this.bits++
    this.displaced = 0
    this.entries = new Int32Array(1 << (this.bits + ENTRY_BITS))
  }
}
