/** Values of a file into a row of a batch. What is no value of its column is a `Damage`, told to the user with its line. */
import { addressBytes } from '../query/address.ts'
import { parseTime } from '../query/times.ts'
import { type FlowBatch, setTime, setU64 } from '../schema/batch.ts'
import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { enumCodes } from '../schema/enums.ts'
import type { Kind } from '../schema/kinds.ts'

/** Why a line was passed over. */
export class Damage extends Error {}

const MOST: Readonly<Partial<Record<Kind, number>>> = { u8: 0xff, u16: 0xffff, u32: 0xffff_ffff, u64: Number.MAX_SAFE_INTEGER } // prettier-ignore
/** Longer is no name. */
const MAX_TEXT = 4_096

/** Writes a value as text, or as a number or flag as JSON has it. Empty is what is not set. Throws Damage. */
export function fillValue(batch: FlowBatch, row: number, name: ColumnName, value: unknown): void {
  const text = textOf(name, value)
  if (text === '') return
  const { kind, of } = columnFacts(name)
  const column = batch.columns[name]
  switch (kind) {
    case 'ip': {
      const bytes = addressBytes(text) ?? damaged(name, text, 'an address')
      // Lanes of the column, kinds.ts.
      ;(column as Uint32Array).set(
        new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 16)),
        row * 4,
      )
      return
    }
    case 'mac':
      return setU64(column as Uint32Array, row, macOf(name, text))
    case 'time':
      return setTime(column as Uint32Array, row, parseTime(text, 0) ?? damaged(name, text, 'a time'))
    case 'text':
      if (text.length > MAX_TEXT) damaged(name, text, 'a text of a sound length')
      column[row] = batch.strings.intern(text)
      return
    case 'enum': {
      const codes: Readonly<Record<string, number>> = of === undefined ? {} : enumCodes(of)
      column[row] = (Object.hasOwn(codes, text) ? codes[text] : undefined) ?? damaged(name, text, 'one of its set')
      return
    }
    case 'f64': {
      const number = Number(text)
      column[row] = Number.isFinite(number) ? number : damaged(name, text, 'a number')
      return
    }
    default: {
      const number = Number(text)
      if (!/^\d+$/.test(text) || number > MOST[kind]!) damaged(name, text, 'a whole number that fits')
      if (kind === 'u64') setU64(column as Uint32Array, row, number)
      else column[row] = number
    }
  }
}

function textOf(name: ColumnName, value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (value === null || value === undefined) return ''
  return damaged(name, JSON.stringify(value), 'a value')
}

function macOf(name: ColumnName, text: string): number {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i.test(text)) damaged(name, text, 'a MAC address')
  return Number.parseInt(text.replaceAll(':', ''), 16)
}

export function damaged(name: string, text: string, what: string): never {
  throw new Damage(`${name} ${JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)} is not ${what}`)
}
