/** Messages of IPFIX and NetFlow v9 from lists of numbers, for tests. */
import { NO_SINK, type DecodeSink } from '../../src/decode/decoder.ts'
import { IpfixDecoder, type IpfixOptions } from '../../src/decode/ipfix/decoder.ts'
import { DECODE_STATUS_NAMES, type DecodeStatusName } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { datagram, restIsZero, rowsOf, type Row } from './ipfix-feed.ts'

/** [element, length] or [element, length, enterprise]. */
export type FieldSpec = readonly [number, number, number?]

/** Time in the header of built messages. */
export const EXPORT_TIME = Date.UTC(2026, 10, 22, 7)
export const UPTIME = 100_000

export const u8 = (value: number) => [value & 255]
export const u16 = (value: number) => [(value >>> 8) & 255, value & 255]
export const u32 = (value: number) => [...u16(value >>> 16), ...u16(value)]
export const u64 = (value: number) => [...u32(Math.floor(value / 2 ** 32)), ...u32(value)]
export const text = (value: string) => [...Buffer.from(value)]
/** A field of variable length. */
export const variable = (bytes: readonly number[]) =>
  bytes.length < 255 ? [bytes.length, ...bytes] : [255, ...u16(bytes.length), ...bytes]

export function set(id: number, ...parts: readonly (readonly number[])[]): number[] {
  const body = parts.flat()
  return [...u16(id), ...u16(body.length + 4), ...body]
}

const specs = (fields: readonly FieldSpec[]) =>
  fields.flatMap(([id, length, pen]) =>
    pen === undefined ? [...u16(id), ...u16(length)] : [...u16(id | 0x8000), ...u16(length), ...u32(pen)],
  )

/** A template record. */
export const template = (id: number, fields: readonly FieldSpec[]) => [
  ...u16(id),
  ...u16(fields.length),
  ...specs(fields),
]

/** An options template record of IPFIX, its first `scopes` fields scopes. */
export const optionsTemplate = (id: number, scopes: number, fields: readonly FieldSpec[]) => [
  ...u16(id),
  ...u16(fields.length),
  ...u16(scopes),
  ...specs(fields),
]

/** An options template record of NetFlow v9. */
export const optionsTemplate9 = (id: number, scopes: readonly FieldSpec[], fields: readonly FieldSpec[]) => [
  ...u16(id),
  ...u16(scopes.length * 4),
  ...u16(fields.length * 4),
  ...specs(scopes),
  ...specs(fields),
]

export function ipfix(sets: readonly (readonly number[])[], domain = 0, sequence = 1): Uint8Array {
  const body = sets.flat()
  const head = [...u16(10), ...u16(16 + body.length), ...u32(EXPORT_TIME / 1000), ...u32(sequence), ...u32(domain)]
  return Uint8Array.from([...head, ...body])
}

export function netflow9(sets: readonly (readonly number[])[], domain = 0, sequence = 1): Uint8Array {
  const times = [...u32(UPTIME), ...u32(EXPORT_TIME / 1000)]
  return Uint8Array.from([...u16(9), ...u16(sets.length), ...times, ...u32(sequence), ...u32(domain), ...sets.flat()])
}

/** A decoder with its batch. `decode` checks that rows past the last are zero. */
export class Bench {
  readonly out: FlowBatch
  readonly decoder: IpfixDecoder

  constructor(options: IpfixOptions = {}, sink: Partial<DecodeSink> = {}, rows = 64) {
    this.out = new FlowBatch(rows)
    this.decoder = new IpfixDecoder({ ...NO_SINK, ...sink }, options)
  }

  /** `from`: number of the exporter and its port. */
  decode(bytes: Uint8Array, from: { id?: number; port?: number } = {}): DecodeStatusName {
    const status = this.decoder.decode(datagram(bytes, { timeMs: EXPORT_TIME + 500, id: 1, ...from }), this.out)
    if (!restIsZero(this.out)) throw new Error('rows past the last are not zero')
    return DECODE_STATUS_NAMES[status]!
  }

  /** The rows so far, without what every row has. */
  rows(): Row[] {
    return rowsOf(this.out).map((row) => {
      const rest = { ...row }
      for (const name of ['time_received', 'exporter', 'agent', 'sequence'] as const) delete rest[name]
      return rest
    })
  }
}

/** Both ways of decoding, for tests of what is decoded. */
export const WAYS = [
  { way: 'walked', limits: { compileAfterRecords: Infinity } },
  { way: 'compiled', limits: { compileAfterRecords: 0, bindAfterDatagrams: 0 } },
] as const
