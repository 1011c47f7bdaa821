/**
 * The text of generated decoders. ONLY numbers enter it: column positions of a batch, offsets and lengths that were checked.
 * Nothing that came as a string does; `num` holds that for each of them.
 */
import type { BatchLayout, BatchMemory } from '../schema/batch.ts'
import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { KINDS } from '../schema/kinds.ts'
import { NAME_CACHE, NAME_FACTORS } from '../schema/name-cache.ts'
import { FAILED, HEAD } from './head.ts'

/**
 * A generated decoder: writes rows from row `row` of the memory on for the records in `[at .. end)` of the arena it is bound to, at most `limit`, and returns
 * how many. HEAD says what it reads beside them, or the header of the message, which begins at `message`; `head[HEAD.stoppedAt]` tells where
 * the records ended, or FAILED, and then row `row + n` is partly written.
 */
export type Program = (row: number, at: number, end: number, limit: number, message: number) => number

/** What is compiled: statements for one record at `p`, see `compile`, and the least bytes it takes. */
export interface RecordSource {
  readonly statements: readonly string[]
  readonly minLength: number
  /** Words of the head that are not taken from it but declared by this statement, from the header of the message. */
  readonly own?: { readonly words: readonly number[]; readonly statement: string }
}

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

/** Source of a cell: lane `lane` of a column in row `row` of the memory. */
export function cell(layout: BatchLayout, column: ColumnName, lane = 0): string {
  const { array, lanes } = KINDS[columnFacts(column).kind]
  const view = array === Float64Array ? 'f64' : `u${num(array.BYTES_PER_ELEMENT * 8)}`
  const row = lanes === 1 ? 'row' : `r${num(lanes)}`
  return `${view}[${num(layout.first[column] + lane)}+${row}|0]`
}

/**
 * Source that puts the code of the name `length` bytes long at `q` (cut to `longest`) into a cell. `NameCache.find` written out for names of 4 to 16 bytes, with
 * what it finds them by as constants: half the instructions of the call.
 */
export function emitName(at: string, longest: number): string {
  const [a, b, c, d, e] = NAME_FACTORS.map((factor) => num(factor >>> 0))
  const word = (i: number) => `names[t${i === 0 ? '' : `+${num(i)}|0`}]`
  const intern = `strings.internName(v,bytes,q,length>${num(longest)}?${num(longest)}:length)|0`
  const { covered, half, shift, placeShift, length, code } = NAME_CACHE
  const find = (products: string[], same: string[]) =>
    `t=(${products.join('+')}+Math.imul(length,${e})|0)>>>${num(shift)}<<${num(placeShift)};` +
    `${at}=${same.join('&&')}&&${word(length)}===length?${word(code)}:${intern}`
  return (
    `if(length>${num(half)}&&length<=${num(covered)}){` +
    'const w0=v.getInt32(q),w1=v.getInt32(q+4|0),w2=v.getInt32(q+length-8|0),w3=v.getInt32(q+length-4|0);' +
    find(
      [`Math.imul(w0,${a})`, `Math.imul(w1,${b})`, `Math.imul(w2,${c})`, `Math.imul(w3,${d})`],
      [0, 1, 2, 3].map((i) => `${word(i)}===w${i}`),
    ) +
    `}else if(length>3&&length<=${num(half)}){` +
    'const w0=v.getInt32(q),w1=v.getInt32(q+length-4|0);' +
    find(
      [`Math.imul(w0,${a})`, `Math.imul(w1,${b})`, `Math.imul(w0,${c})`, `Math.imul(w1,${d})`],
      [`${word(0)}===w0`, `${word(1)}===w1`],
    ) +
    `}else if(length!==0)${at}=${intern}`
  )
}

/** Source of a constant word of the head, see `compile`. */
export function headWord(word: number): string {
  return `h${num(word)}`
}

/**
 * Compiles the statements for one record into a loop over all of them, bound to an arena and a batch. The statements leave `p` after the
 * record; on a length that reaches outside they set `failed` and leave by `break records`. They may use the variables `t`, `s`, `q`,
 * `length` and, across records, `seen`.
 *
 * Each call parses anew: V8 takes what a function is bound to for constant only when it is the one closure of its code.
 */
export function compile(record: RecordSource, view: DataView, memory: BatchMemory, head: Uint32Array): Program {
  if (record.minLength < 1) throw new Error('a record of no length would never end')
  const body = record.statements.join('\n')
  const words = Array.from({ length: HEAD.initLow }, (_, word) => word)
    .filter((word) => record.own?.words.includes(word) !== true && new RegExp(`\\b${headWord(word)}\\b`).test(body))
    .map((word) => `,${headWord(word)}=h[${num(word)}]`)
  const source = `'use strict'
return function(row,p,end,limit,message){
row|=0;p|=0;end|=0;limit|=0
${record.own?.statement ?? ''}
const zero=0${words.join('')}
let n=0,failed=0,seen=0,t=0,s=0,q=0,length=0
records:for(;n<limit&&(end-p|0)>=${num(record.minLength)};n=n+1|0,row=row+1|0){
const r2=row<<1,r4=row<<2
${body}
}
h[${num(HEAD.stoppedAt)}]=failed===0?p:${num(FAILED)}
h[${num(HEAD.seen)}]=seen
return n
}`
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  // oxlint-disable-next-line typescript/no-implied-eval -- only numbers enter the source, see `num`
  const bind = new Function('v', 'bytes', 'u8', 'u16', 'u32', 'f64', 'strings', 'names', 'h', source)
  const { u8, u16, u32, f64, strings } = memory
  return bind(view, bytes, u8, u16, u32, f64, strings, strings.names.entries, head) as Program
}
