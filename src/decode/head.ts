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
  /** Agent of an sFlow datagram. */
  agent: 17,
} as const

export const HEAD_WORDS = 21

/** `stoppedAt` of a program that met a length reaching outside the set. */
export const FAILED = 0xffff_ffff

/** Exporters whose clock stands before this (2^32 ms, 19 February 1970) have none: the time of arrival is used. */
const NO_CLOCK_BEFORE_MS = 0x1_0000_0000
const PER_2_32 = 1 / 0x1_0000_0000
/** A stamp may be this far ahead of sysUptime (an exporter that reads its clock twice) before it is taken as wrapped. */
const AHEAD_MS = 3_600_000

// V8 folds numbers of the module itself into compiled code; properties of an exported object it reads each time.
const { receivedLow, receivedHigh, exporter: exporterAt, timeLow, timeHigh } = HEAD

/** Sets the words of the time of arrival and the exporter. */
export function setSource(head: Uint32Array, { receivedMs, exporter }: Datagram): void {
  head[receivedLow] = receivedMs
  head[receivedHigh] = receivedMs * PER_2_32
  head[exporterAt] = exporter[0]!
  head[exporterAt + 1] = exporter[1]!
  head[exporterAt + 2] = exporter[2]!
  head[exporterAt + 3] = exporter[3]!
}

/** Sets the words of the time in the header, `headerMs` since 1970. */
export function setTime(head: Uint32Array, headerMs: number, receivedMs: number): void {
  const timeMs = headerMs < NO_CLOCK_BEFORE_MS ? Math.max(receivedMs, NO_CLOCK_BEFORE_MS) : headerMs
  head[timeLow] = timeMs
  head[timeHigh] = timeMs * PER_2_32
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
