import { AppError } from '../errors.ts'
import type { ByteSource } from './source.ts'

/** A packet of a capture. One object and one arena are used for all: what you keep, copy before asking for the next. */
export interface CapturedPacket {
  /** From 1 on. */
  number: number
  /** Milliseconds since 1970, with fraction. A packet without a time (pcapng simple packet) has that of the one before. */
  timeMs: number
  /** LINKTYPE_ value, https://www.tcpdump.org/linktypes.html. */
  linkType: number
  /** The packet is `bytes[start .. end)`; `view` covers the same memory. */
  readonly bytes: Uint8Array
  readonly view: DataView
  start: number
  end: number
  /** Its length on the wire, when it was cut to the snapshot length; else `end - start`. */
  originalLength: number
}

/** No link has larger packets; libpcap's own bound for Ethernet and IP. */
export const MAX_PACKET_BYTES = 256 * 1024

/** The packet object of one capture, in the arena of its source. */
export function newPacket(source: ByteSource): CapturedPacket {
  return {
    number: 0,
    timeMs: 0,
    linkType: 0,
    bytes: source.bytes,
    view: source.view,
    start: 0,
    end: 0,
    originalLength: 0,
  }
}

/** The fault `capture_cut` after packet `number`, whose cause lies at `offset` of the stream. */
export function captureCut(number: number, offset: number, why: string): AppError {
  return new AppError('capture_cut', `the capture ${why} at byte ${offset}, after packet ${number}`)
}
