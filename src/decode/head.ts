import type { Datagram } from './decoder.ts'

/**
 * What is the same in all records of a message, as u32 words in one array that generated code reads: no object per
 * message. HEAD names the words.
 */
export const HEAD = {
  receivedLow: 0,
  receivedHigh: 1,
  exporter: 2,
  domain: 6,
  sequence: 7,
  /** Time in the header, ms since 1970. */
  timeLow: 8,
  timeHigh: 9,
  /** The time and the uptime that stamps in uptime are counted from, see `setUptime`. */
  uptimeTimeLow: 10,
  uptimeTimeHigh: 11,
  uptime: 12,
  /** systemInitTimeMilliseconds of the record at hand. */
  initLow: 13,
  initHigh: 14,
  /** Out: where decoding stopped, or FAILED. */
  stoppedAt: 15,
  /** Out: OR of the fields that a program watches. */
  seen: 16,
} as const

export const HEAD_WORDS = 17

/** `stoppedAt` of a program that met a length reaching outside the set. */
export const FAILED = 0xffff_ffff

/** Exporters whose clock stands before this (2^32 ms, 19 February 1970) have none: the time of arrival is used. */
const NO_CLOCK_BEFORE_MS = 0x1_0000_0000
/** A stamp may be this far ahead of sysUptime (an exporter that reads its clock twice) before it is taken as wrapped. */
const AHEAD_MS = 3_600_000

/** Sets all words but those of the uptime. `headerMs` is the time in the header, ms since 1970. */
export function setHead(
  head: Uint32Array,
  datagram: Datagram,
  headerMs: number,
  domain: number,
  sequence: number,
): void {
  const { receivedMs, exporter } = datagram
  head[HEAD.receivedLow] = receivedMs
  head[HEAD.receivedHigh] = receivedMs / 0x1_0000_0000
  head[HEAD.exporter] = exporter[0]!
  head[HEAD.exporter + 1] = exporter[1]!
  head[HEAD.exporter + 2] = exporter[2]!
  head[HEAD.exporter + 3] = exporter[3]!
  head[HEAD.domain] = domain
  head[HEAD.sequence] = sequence
  const timeMs = headerMs < NO_CLOCK_BEFORE_MS ? Math.max(receivedMs, NO_CLOCK_BEFORE_MS) : headerMs
  head[HEAD.timeLow] = timeMs
  head[HEAD.timeHigh] = timeMs / 0x1_0000_0000
}

/**
 * For stamps in ms of uptime: wall time = header time − (sysUptime − stamp), the difference modulo 2^32 since sysUptime wraps
 * after 49.7 days. Both are moved AHEAD_MS on, so that a stamp a little ahead of sysUptime does not wrap.
 */
export function setUptime(head: Uint32Array, uptimeMs: number): void {
  const timeMs = head[HEAD.timeLow]! + head[HEAD.timeHigh]! * 0x1_0000_0000 + AHEAD_MS
  head[HEAD.uptimeTimeLow] = timeMs
  head[HEAD.uptimeTimeHigh] = timeMs / 0x1_0000_0000
  head[HEAD.uptime] = uptimeMs + AHEAD_MS
}
