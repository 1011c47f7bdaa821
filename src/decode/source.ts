/**
 * The text of generated decoders. ONLY numbers enter it: column positions of a batch, offsets and lengths that were checked.
 * Nothing that came as a string does; `num` holds that for each of them.
 */
import type { BatchLayout } from '../schema/batch.ts'
import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { KINDS } from '../schema/kinds.ts'
import type { StringTable } from '../schema/strings.ts'
import { FAILED, HEAD } from './head.ts'

/**
 * A generated decoder: appends rows from `row` on for the records in `bytes[at .. end)`, at most `limit`, and returns how many.
 * `head` is as HEAD says; `head[HEAD.stoppedAt]` tells where the records ended, or FAILED, and then row `row + n` is partly written.
 */
export type Program = (
  view: DataView,
  bytes: Uint8Array,
  u8: Uint8Array,
  u16: Uint16Array,
  u32: Uint32Array,
  f64: Float64Array,
  strings: StringTable,
  head: Uint32Array,
  row: number,
  at: number,
  end: number,
  limit: number,
) => number

const PARAMETERS = 'v,bytes,u8,u16,u32,f64,strings,h,row,p,end,limit'

/** A number as source text. Anything else is a bug, not input. */
export function num(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`not a number for generated code: ${value}`)
  return `${value}`
}

/** A place in a record: `offset` bytes after the variable `base` of the program. */
export interface Place {
  readonly base: 'p' | 'q'
  readonly offset: number
}

/** Source of the position `plus` bytes after a place. Measured: `|0` here and in `cell` takes a fifth off the time of a record. */
export function position(place: Place, plus = 0): string {
  return `(${place.base}+${num(place.offset + plus)}|0)`
}

/** Source of the low 32 bits of a big-endian unsigned integer of 1 to 8 bytes. */
export function low32(place: Place, length: number): string {
  if (length === 1) return `v.getUint8(${position(place)})`
  if (length === 2) return `v.getUint16(${position(place)})`
  if (length === 3) return `(v.getUint16(${position(place)})<<8|v.getUint8(${position(place, 2)}))`
  return `v.getInt32(${position(place, length - 4)})`
}

/** Source of the upper 32 bits of a big-endian unsigned integer of 5 to 8 bytes. */
export function high32(place: Place, length: number): string {
  return low32(place, length - 4)
}

/** Source that tells whether any byte of a field is not zero. */
export function anySet(place: Place, length: number): string {
  const words: string[] = []
  let done = 0
  for (; done + 4 <= length; done += 4) words.push(`v.getInt32(${position(place, done)})`)
  if (done < length) words.push(low32({ ...place, offset: place.offset + done }, length - done))
  return `(${words.join('|')})!==0`
}

/** Source of a cell of row `row`: lane `lane` of a column. */
export function cell(layout: BatchLayout, column: ColumnName, lane = 0): string {
  const { array, lanes } = KINDS[columnFacts(column).kind]
  const view = array === Float64Array ? 'f64' : `u${num(array.BYTES_PER_ELEMENT * 8)}`
  const row = lanes === 1 ? 'row' : `r${num(lanes)}`
  return `${view}[${num(layout.first[column] + lane)}+${row}|0]`
}

/** Source of a constant word of the head, see `compile`. */
export function headWord(word: number): string {
  return `h${num(word)}`
}

/**
 * Compiles `record`, the statements for one record at `p`, into a loop over all of them. They leave `p` after the record; on a
 * length that reaches outside they set `failed` and leave by `break records`. They may use the variables `t`, `s`, `q`, `length`
 * and, across records, `seen`. `minLength` is what a record takes at least.
 */
export function compile(record: readonly string[], minLength: number): Program {
  if (minLength < 1) throw new Error('a record of no length would never end')
  const words = Array.from({ length: HEAD.initLow }, (_, word) => `${headWord(word)}=h[${num(word)}]`)
  const source = `'use strict'
return function(${PARAMETERS}){
const ${words.join(',')}
let n=0,failed=0,seen=0,t=0,s=0,q=0,length=0
records:for(;n<limit&&end-p>=${num(minLength)};n++,row++){
const r2=row<<1,r4=row<<2
${record.join('\n')}
}
h[${num(HEAD.stoppedAt)}]=failed===0?p:${num(FAILED)}
h[${num(HEAD.seen)}]=seen
return n
}`
  // oxlint-disable-next-line typescript/no-implied-eval -- only numbers enter the source, see `num`
  return new Function(source)() as Program
}
