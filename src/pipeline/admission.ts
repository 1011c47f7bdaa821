/**
 * Who may send. Decided by the source address alone, before anything is kept of a sender, so that a flood from addresses that
 * may not send costs a few comparisons a datagram and no memory.
 */
import { type Cidr, inCidr, parseCidr } from '../identity/addresses.ts'
import { KeyTable } from './key-table.ts'

/** Refused senders that are told apart; the datagrams of all others are counted together. */
const MAX_LISTED = 1_024
const LISTED_IDLE_MS = 10 * 60_000

export interface AdmissionOptions {
  /** Addresses and networks that may send. */
  allow: readonly string[]
  /** Whether four lanes at `at` are of a host of the model. */
  isHost?: ((lanes: Uint32Array, at: number) => boolean) | undefined
  /** Whether hosts of the model may send too; by default where `isHost` is given. */
  hosts?: boolean
  /** `from=to` pairs: who is named there may send, since an operator wrote it down. */
  aliases?: readonly string[]
}

export class Admission {
  /** Datagrams refused by `count`, by place of their sender. */
  private readonly listed = new Float64Array(MAX_LISTED)
  private readonly table = new KeyTable(MAX_LISTED, LISTED_IDLE_MS)
  private ranges: readonly Cidr[] = []
  private hosts = false
  private open = true
  private readonly isHost: AdmissionOptions['isHost']
  private readonly aliases: readonly string[]

  constructor({ allow, isHost, hosts = isHost !== undefined, aliases = [] }: AdmissionOptions) {
    this.isHost = isHost
    this.aliases = aliases
    this.change(allow, hosts)
  }

  /** Others may send from now on; `hosts` = hosts of the model may. */
  change(allow: readonly string[], hosts: boolean): void {
    // The options' own checks have found all of them to be addresses.
    const named = [...allow, ...this.aliases.map((pair) => pair.split('=')[0]!)]
    this.ranges = named.map((text) => parseCidr(text)!)
    this.hosts = hosts
    this.open = allow.length === 0 && !hosts
  }

  /** The ranges that alone may send; undefined where others may, too. */
  get only(): readonly Cidr[] | undefined {
    return this.open || this.hosts ? undefined : this.ranges
  }

  /** Whether the source at `lanes[at .. at+4)` may send. */
  admits(lanes: Uint32Array, at: number): boolean {
    if (this.open) return true
    const a = lanes[at]!
    const b = lanes[at + 1]!
    const c = lanes[at + 2]!
    const d = lanes[at + 3]!
    for (const range of this.ranges) if (inCidr(range, a, b, c, d)) return true
    return this.hosts && this.isHost?.(lanes, at) === true
  }

  /** Counts a datagram that was refused; true when its sender was not on the list before. */
  refuse(lanes: Uint32Array, at: number, nowMs: number): boolean {
    const { table, listed } = this
    const place = table.place(lanes[at]!, lanes[at + 1]!, lanes[at + 2]!, lanes[at + 3]!, nowMs)
    if (place < 0) return false
    if (table.fresh) listed[place] = 0
    listed[place]!++
    return table.fresh
  }

  /** Refused senders, those that are told apart, with their datagrams and when the last one came. */
  *senders(): Generator<{ address: Uint32Array; datagrams: number; lastMs: number }> {
    const { table, listed } = this
    for (let place = 0; place < table.size; place++)
      yield {
        address: Uint32Array.from([0, 1, 2, 3], (word) => table.word(place, word)),
        datagrams: listed[place]!,
        lastMs: table.seenMs[place]!,
      }
  }

  get sendersListed(): number {
    return this.table.size
  }
}
