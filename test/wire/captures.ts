/** Captures made by hand, in every variant that is read, and what reading them gives. */
import { spawnSync } from 'node:child_process'
import { AppError } from '../../src/errors.ts'
import { readCapture } from '../../src/wire/capture.ts'

export interface Packet {
  /** Milliseconds since 1970; whole microseconds, so that every variant can hold it. */
  timeMs: number
  bytes: Uint8Array
  linkType?: number
  /** Length on the wire when it is more than `bytes`. */
  originalLength?: number
}

export interface PcapVariant {
  magic: number
  little: boolean
  minor?: number
  linkType?: number
}

export const PCAP_MAGICS = { micro: 0xa1b2c3d4, nano: 0xa1b23c4d, kuznetsov: 0xa1b2cd34, mesquita: 0xa1b234cd } as const

/** A growing buffer in one byte order. */
class Writer {
  private readonly parts: Uint8Array[] = []
  private readonly little: boolean

  constructor(little: boolean) {
    this.little = little
  }

  u16(...values: number[]): this {
    for (const value of values) {
      const part = new DataView(new ArrayBuffer(2))
      part.setUint16(0, value, this.little)
      this.parts.push(new Uint8Array(part.buffer))
    }
    return this
  }

  u32(...values: number[]): this {
    for (const value of values) {
      const part = new DataView(new ArrayBuffer(4))
      part.setUint32(0, value, this.little)
      this.parts.push(new Uint8Array(part.buffer))
    }
    return this
  }

  /** Bytes, padded to four. */
  padded(bytes: Uint8Array): this {
    return this.raw(bytes).raw(new Uint8Array(-bytes.length & 3))
  }

  raw(bytes: Uint8Array): this {
    this.parts.push(bytes)
    return this
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.parts)
  }
}

export function pcap(packets: readonly Packet[], { magic, little, minor = 4, linkType = 1 }: PcapVariant): Uint8Array {
  const file = new Writer(little).u32(magic).u16(2, minor).u32(0, 0, 262_144, linkType)
  for (const { timeMs, bytes, originalLength = bytes.length } of packets) {
    const seconds = Math.floor(timeMs / 1000)
    const micros = Math.round((timeMs - seconds * 1000) * 1000)
    file.u32(seconds, magic === PCAP_MAGICS.nano ? micros * 1000 : micros)
    if (minor < 3) file.u32(originalLength, bytes.length)
    else file.u32(bytes.length, originalLength)
    if (magic === PCAP_MAGICS.kuznetsov) file.u32(7, 0x0800_0000)
    file.raw(bytes)
  }
  return file.bytes
}

function block(little: boolean, type: number, body: Uint8Array): Uint8Array {
  const length = body.length + 12
  return new Writer(little).u32(type, length).raw(body).u32(length).bytes
}

export function section(little: boolean): Uint8Array {
  return block(little, 0x0a0d0d0a, new Writer(little).u32(0x1a2b3c4d).u16(1, 0).u32(0xffffffff, 0xffffffff).bytes)
}

/** `resolution` is if_tsresol, `offset` if_tsoffset in seconds. */
export function interfaceBlock(
  little: boolean,
  linkType: number,
  { snapLength = 0, resolution, offset }: { snapLength?: number; resolution?: number; offset?: number } = {},
): Uint8Array {
  const body = new Writer(little).u16(linkType, 0).u32(snapLength)
  const name = Buffer.from('tap0')
  body.u16(2, name.length).padded(name)
  if (resolution !== undefined) body.u16(9, 1).padded(Uint8Array.of(resolution))
  if (offset !== undefined) body.u16(14, 8).u32(...(little ? [offset, 0] : [0, offset]))
  return block(little, 1, body.u16(0, 0).bytes)
}

/** Time in `units` since 1970. */
export function enhancedPacket(little: boolean, index: number, units: number, packet: Packet): Uint8Array {
  const body = new Writer(little).u32(index, Math.floor(units / 2 ** 32), units % 2 ** 32)
  body.u32(packet.bytes.length, packet.originalLength ?? packet.bytes.length).padded(packet.bytes)
  // A comment, as editors leave it.
  return block(little, 6, body.u16(1, 3).padded(Buffer.from('abc')).u16(0, 0).bytes)
}

export function obsoletePacket(little: boolean, index: number, units: number, packet: Packet): Uint8Array {
  const body = new Writer(little).u16(index, 0xffff).u32(Math.floor(units / 2 ** 32), units % 2 ** 32)
  body.u32(packet.bytes.length, packet.originalLength ?? packet.bytes.length).padded(packet.bytes)
  return block(little, 2, body.bytes)
}

export function simplePacket(little: boolean, packet: Packet): Uint8Array {
  const body = new Writer(little).u32(packet.originalLength ?? packet.bytes.length).padded(packet.bytes)
  return block(little, 3, body.bytes)
}

/** A block of a type that nobody knows. */
export function otherBlock(little: boolean, length: number): Uint8Array {
  return block(little, 0x0bad, new Uint8Array(length))
}

export interface Reading {
  packets: Packet[]
  /** What ended it early. */
  fault: AppError | undefined
}

/** Reads a capture that arrives in pieces of `piece` bytes, copying every packet. */
export async function readAll(capture: Uint8Array, piece = 64 * 1024): Promise<Reading> {
  const packets: Packet[] = []
  try {
    for await (const packet of readCapture(pieces(capture, piece))) {
      packets.push({
        timeMs: packet.timeMs,
        bytes: packet.bytes.slice(packet.start, packet.end),
        linkType: packet.linkType,
        originalLength: packet.originalLength,
      })
    }
  } catch (fault) {
    if (!(fault instanceof AppError)) throw fault
    return { packets, fault }
  }
  return { packets, fault: undefined }
}

async function* pieces(capture: Uint8Array, piece: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < capture.length; at += piece) yield await Promise.resolve(capture.subarray(at, at + piece))
}

/** Why a tool cannot be used, or false. */
export function missing(tool: string): string | false {
  return spawnSync(tool, ['--version']).status === 0 ? false : `${tool} is not installed`
}

/** Standard output of a program. */
export function run(tool: string, args: readonly string[]): string {
  const result = spawnSync(tool, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (result.status !== 0) throw new Error(`${tool} ${args.join(' ')}: ${result.stderr}`)
  return result.stdout
}
