/**
 * The streams of the last datagrams, so that a datagram of a stream that goes on as it should finds its places by one look. Direct-mapped:
 * a stream displaces the one before it in its entry.
 */
import { randomInt } from 'node:crypto'
import type { KeyTable } from './key-table.ts'

const ENTRIES_BITS = 10
const SHIFT = 32 - ENTRIES_BITS
/** Words of an entry: exporter, stream, port * 256 + protocol, the two places, EPOCH. A power of two: it begins at `entry << WORDS_BITS`. */
const WORDS_BITS = 3
const STREAM = 1
const REST = 2
const PLACE = 3
const SESSION = 4
/** How many keys had lost their place when the entry was made, and 1: one more, and a place may be another's. */
const EPOCH = 5

/** Odd factors that senders do not know, so that streams cannot be chosen to displace each other. */
const [A, B, C] = [odd(), odd(), odd()]

export class RecentStreams {
  private readonly table: KeyTable
  private readonly entries = new Int32Array(1 << (ENTRIES_BITS + WORDS_BITS))

  /** `table` gave the places. */
  constructor(table: KeyTable) {
    this.table = table
  }

  /** The entry of a stream, or -1 when it is not one of the last. `port` is below 2^16; all are taken modulo 2^32. */
  find(exporterId: number, stream: number, port: number, protocol: number): number {
    const { entries } = this
    const rest = (port << 8) | protocol
    const at = entryOf(exporterId, stream, rest)
    return entries[at] === (exporterId | 0) &&
      entries[at + STREAM] === (stream | 0) &&
      entries[at + REST] === rest &&
      entries[at + EPOCH] === ((this.table.evicted + 1) | 0)
      ? at
      : -1
  }

  /** The places of the stream that an entry is of. */
  placeAt(entry: number): number {
    return this.entries[entry + PLACE]!
  }

  sessionAt(entry: number): number {
    return this.entries[entry + SESSION]!
  }

  /** Forgets all of them: places are given to others. */
  clear(): void {
    this.entries.fill(0)
  }

  /** Keeps the places of a stream. */
  put(exporterId: number, stream: number, port: number, protocol: number, place: number, session: number): void {
    const { entries } = this
    const rest = (port << 8) | protocol
    const at = entryOf(exporterId, stream, rest)
    entries[at] = exporterId
    entries[at + STREAM] = stream
    entries[at + REST] = rest
    entries[at + PLACE] = place
    entries[at + SESSION] = session
    entries[at + EPOCH] = this.table.evicted + 1
  }
}

function entryOf(exporterId: number, stream: number, rest: number): number {
  const hash = (Math.imul(exporterId, A) + Math.imul(stream, B) + Math.imul(rest, C)) | 0
  return (hash >>> SHIFT) << WORDS_BITS
}

function odd(): number {
  return randomInt(0x7fff_ffff) | 1
}
