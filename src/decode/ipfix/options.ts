/**
 * Options data records: what exporters say of themselves. Read are sampling rates (Cisco sampler tables, PSAMP selectors) and
 * the packets that OVS could not send (its options template 462).
 */
import { fieldsOf, minLength, VARIABLE, type Field, type Spec } from './template.ts'

/** THE table of elements read from options data. */
const SAMPLER_ID = new Set([48, 302])
const SAMPLING_INTERVAL = new Set([34, 50])
const SAMPLING_PACKET_INTERVAL = 305
const SAMPLING_PACKET_SPACE = 306
const SAMPLING_SIZE = 309
const SAMPLING_POPULATION = 310
const NOT_SENT_PACKET_TOTAL_COUNT = 167

/** What one options record says; -1 = nothing. Reused. */
export interface OptionsRecord {
  samplerId: number
  /** 1 in how many packets. */
  rate: number
  notSent: number
}

interface Reading {
  interval: number
  space: number
  size: number
  population: number
  /** Hash of the scopes' values, which stands for the sampler where none is named. */
  scope: number
}

/** Layout of options records. */
export interface OptionsPlan {
  readonly fields: readonly Field[]
  readonly minLength: number
}

export function planOptions(spec: Spec): OptionsPlan {
  const fields = fieldsOf(spec)
  return { fields, minLength: minLength(fields) }
}

/** Reads the record at `at`: where it ends, or -1 when it reaches beyond `end`. */
export function readOptions(plan: OptionsPlan, view: DataView, at: number, end: number, record: OptionsRecord): number {
  record.samplerId = -1
  record.rate = -1
  record.notSent = -1
  const reading: Reading = { interval: 0, space: -1, size: 0, population: 0, scope: 0 }
  for (const field of plan.fields) {
    let length = field.length
    if (length === VARIABLE) {
      if (at + 1 > end) return -1
      length = view.getUint8(at++)
      if (length === 255) {
        if (at + 2 > end) return -1
        length = view.getUint16(at)
        at += 2
      }
    }
    if (at + length > end) return -1
    if (field.pen === 0 && length >= 1 && length <= 8) readField(field, uint(view, at, length), record, reading)
    at += length
  }
  if (record.rate < 0 && reading.interval > 0 && reading.space >= 0)
    record.rate = Math.round((reading.interval + reading.space) / reading.interval)
  if (record.rate < 0 && reading.size > 0 && reading.population > 0)
    record.rate = Math.round(reading.population / reading.size)
  if (record.rate > 0xffff_ffff) record.rate = -1
  if (record.samplerId < 0) record.samplerId = reading.scope
  return at
}

function readField({ id, scope }: Field, value: number, record: OptionsRecord, reading: Reading): void {
  if (SAMPLER_ID.has(id)) record.samplerId = value % 0x1_0000_0000
  else if (SAMPLING_INTERVAL.has(id)) record.rate = Math.max(value, 1)
  else if (id === SAMPLING_PACKET_INTERVAL) reading.interval = value
  else if (id === SAMPLING_PACKET_SPACE) reading.space = value
  else if (id === SAMPLING_SIZE) reading.size = value
  else if (id === SAMPLING_POPULATION) reading.population = value
  else if (id === NOT_SENT_PACKET_TOTAL_COUNT) record.notSent = value
  else if (scope) reading.scope = (Math.imul(reading.scope, 31) + (value % 0x1_0000_0000)) >>> 0
}

function uint(view: DataView, at: number, length: number): number {
  let value = 0
  for (let i = 0; i < length; i++) value = value * 256 + view.getUint8(at + i)
  return value
}
