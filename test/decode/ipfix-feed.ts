/**
 * What the decoder tests share: datagrams out of the captures, rows as plain objects, one decoder call.
 *
 * The capture reader is the smallest that reads the project's own files (microsecond pcap, Ethernet, IPv4, UDP), so that a fault of
 * `wire/` cannot hide one of `decode/`.
 */
import { readFileSync } from 'node:fs'
import type { Datagram } from '../../src/decode/decoder.ts'
import { getU64, type FlowBatch } from '../../src/schema/batch.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName } from '../../src/schema/columns.ts'
import { enumValues } from '../../src/schema/enums.ts'

/** One UDP payload of a capture. */
export interface Payload {
  timeMs: number
  source: string
  port: number
  bytes: Uint8Array
}

/** The NetFlow or IPFIX messages of `version` in a pcap file, in order, to whatever port they went. */
export function readPayloads(file: string, version: number): Payload[] {
  const data = readFileSync(file)
  if (data.readUInt32LE(0) !== 0xa1b2c3d4 || data.readUInt32LE(20) !== 1)
    throw new Error(`${file}: not this kind of pcap`)
  const payloads: Payload[] = []
  for (let at = 24; at + 16 <= data.length;) {
    const timeMs = data.readUInt32LE(at) * 1000 + Math.floor(data.readUInt32LE(at + 4) / 1000)
    const length = data.readUInt32LE(at + 8)
    const frame = data.subarray(at + 16, at + 16 + length)
    at += 16 + length
    if (frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 17) continue
    const udp = 14 + (frame[14]! & 15) * 4
    if (frame.readUInt16BE(udp + 8) !== version) continue
    const source = `${frame[26]}.${frame[27]}.${frame[28]}.${frame[29]}`
    const bytes = Uint8Array.from(frame.subarray(udp + 8, udp + frame.readUInt16BE(udp + 4)))
    payloads.push({ timeMs, source, port: frame.readUInt16BE(udp), bytes })
  }
  return payloads
}

/** A datagram around `bytes`, not at the start of its arena, so that an offset forgotten shows. */
export function datagram(bytes: Uint8Array, from: Partial<Payload> & { id?: number } = {}): Datagram {
  const start = 8
  const arena = new Uint8Array(start + bytes.length + 8).fill(0xa5)
  arena.set(bytes, start)
  const [a = 0, b = 0, c = 0, d = 0] = (from.source ?? '192.0.2.1').split('.').map(Number)
  return {
    bytes: arena,
    view: new DataView(arena.buffer),
    start,
    end: start + bytes.length,
    receivedMs: from.timeMs ?? Date.UTC(2026, 0, 1),
    exporter: new Uint32Array(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, a, b, c, d).buffer),
    exporterPort: from.port ?? 4739,
    exporterId: from.id ?? (a << 24) | (b << 16) | (c << 8) | d,
  }
}

export type Row = Partial<Record<ColumnName, string | number>>

/** Row `row` as an object of the columns that are set. Addresses, MACs, times and enum values in their usual text form. */
export function rowOf(batch: FlowBatch, row: number): Row {
  const result: Row = {}
  for (const name of COLUMN_NAMES) {
    const value = valueOf(batch, name, row)
    if (value !== 0 && value !== '') result[name] = value
  }
  return result
}

export function rowsOf(batch: FlowBatch): Row[] {
  return Array.from({ length: batch.rows }, (_, row) => rowOf(batch, row))
}

function valueOf(batch: FlowBatch, name: ColumnName, row: number): string | number {
  const { kind, of } = columnFacts(name)
  const column = batch.columns[name]
  if (kind === 'ip') return addressText(new Uint8Array(column.buffer, column.byteOffset + row * 16, 16))
  if (kind === 'enum') return column[row] === 0 ? 0 : (enumValues(of!)[column[row]!] ?? `? ${column[row]}`)
  if (kind === 'text') return batch.strings.values[column[row]!]!
  if (kind !== 'u64' && kind !== 'mac' && kind !== 'time') return column[row]!
  const value = getU64(column as Uint32Array, row)
  if (value === 0 || kind === 'u64') return value
  return kind === 'time' ? new Date(value).toISOString() : value.toString(16).padStart(12, '0')
}

function addressText(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0)) return ''
  if (bytes[10] === 255 && bytes[11] === 255 && bytes.subarray(0, 10).every((byte) => byte === 0))
    return bytes.subarray(12).join('.')
  return Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)).join(':')
}

/** Whether all rows from `batch.rows` on are zero in every column, as FlowBatch promises. */
export function restIsZero(batch: FlowBatch): boolean {
  return COLUMN_NAMES.every((name) => {
    const column = batch.columns[name]
    const lanes = column.length / batch.capacity
    return column.subarray(batch.rows * lanes).every((value) => value === 0)
  })
}
