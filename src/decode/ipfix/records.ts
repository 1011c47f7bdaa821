/** Data records by a plan: the source of the generated decoder, and the walk it must equal. */
import type { BatchLayout, FlowBatch } from '../../schema/batch.ts'
import { columnFacts } from '../../schema/columns.ts'
import { KINDS } from '../../schema/kinds.ts'
import type { Input } from '../copies.ts'
import { emitFinish, walkFinish, type Fields } from '../finish.ts'
import { FAILED, HEAD } from '../head.ts'
import { anySet, cell, headWord, num, position, type Place, type RecordSource } from '../source.ts'
import { protocolCode, type Plan, type Step } from './plan.ts'
import { IPFIX, VARIABLE } from './template.ts'

/** The statements that decode a record of `plan` into batches of `layout`. */
export function sourceOf(plan: Plan, layout: BatchLayout): RecordSource {
  const statements: string[] = []
  if (plan.initTimeAt >= 0) {
    const place: Place = { base: 'p', offset: plan.initTimeAt }
    statements.push(
      `h[${num(HEAD.initHigh)}]=v.getInt32(${position(place)})`,
      `h[${num(HEAD.initLow)}]=v.getInt32(${position(place, 4)})`,
    )
  }
  let offset = 0
  let rest = plan.minLength
  for (const step of plan.steps) {
    const place: Place = { base: 'p', offset }
    if (step.length === VARIABLE) {
      rest -= 1
      statements.push(emitLength(place, rest))
      if (step.copy?.emitVariable) statements.push(step.copy.emitVariable(layout, step.to, { base: 'q', offset: 0 }))
      statements.push('p=q+length|0')
      offset = 0
    } else {
      if (step.copy) statements.push(emitStep(step, layout, place))
      rest -= step.length
      offset += step.length
    }
  }
  statements.push(...emitFinish(layout, fieldsOf(plan)), `p=p+${num(offset)}|0`)
  const source = { statements, minLength: plan.minLength }
  return plan.version === IPFIX ? { ...source, own: IPFIX_HEAD } : source
}

/**
 * The header of an IPFIX message, read where its records are decoded: OVS sends one record a message, and its words through the head cost
 * a twentieth of all. Milliseconds are made of the seconds in two halves, without floating point; a time before the upper word is 1
 * is none, and then the head says what to take.
 */
const IPFIX_HEAD = {
  words: [HEAD.domain, HEAD.sequence, HEAD.timeLow, HEAD.timeHigh],
  statement: [
    `const ${headWord(HEAD.domain)}=v.getInt32(message+12|0),${headWord(HEAD.sequence)}=v.getInt32(message+8|0)`,
    'const seconds=v.getInt32(message+4|0),a=Math.imul(seconds&65535,1000),b=Math.imul(seconds>>>16,1000)+(a>>>16)|0',
    `let ${headWord(HEAD.timeHigh)}=b>>>16,${headWord(HEAD.timeLow)}=(b<<16|a&65535)>>>0`,
    `if(b<65536){${headWord(HEAD.timeHigh)}=h[${num(HEAD.timeHigh)}];${headWord(HEAD.timeLow)}=h[${num(HEAD.timeLow)}]}`,
  ].join('\n'),
}

function emitStep(step: Step, layout: BatchLayout, place: Place): string {
  const statement = step.copy!.emit(layout, step.to, place, step.length)
  if (!step.unlessZero) return statement
  // The upper lane is written only when it is not zero: what the earlier field put there goes.
  const clear = KINDS[columnFacts(step.to).kind].lanes === 2 ? `${cell(layout, step.to, 1)}=0;` : ''
  return `if(${anySet(place, step.length)}){${clear}${statement}}`
}

/**
 * Length of a variable field (RFC 7011 §7: one byte, or 255 and two) into `length`, its first byte into `q`. `rest` bytes are
 * the least that follows: with the field they must lie in the set.
 */
function emitLength(place: Place, rest: number): string {
  const leave = '{failed=1;break records}'
  return (
    `q=${position(place, 1)};length=v.getUint8(${position(place)});` +
    `if(length===255){if((end-q|0)<${num(rest + 2)})${leave};length=v.getUint16(q);q=q+2|0}` +
    `if((end-q-length|0)<${num(rest)})${leave}`
  )
}

/** What the generated decoder does, done field by field: the reference for tests, and the way for layouts that come rarely. */
export function walkRecords(
  plan: Plan,
  input: Input,
  out: FlowBatch,
  row: number,
  start: number,
  end: number,
  limit: number,
): number {
  const { head } = input
  const fields = fieldsOf(plan)
  let at = start
  let n = 0
  for (; n < limit && end - at >= plan.minLength; n++) {
    if (plan.initTimeAt >= 0) {
      head[HEAD.initHigh] = input.view.getUint32(at + plan.initTimeAt)
      head[HEAD.initLow] = input.view.getUint32(at + plan.initTimeAt + 4)
    }
    at = walkRecord(plan, input, out, row + n, at, end)
    if (at === FAILED) break
    walkFinish(head, fields, out, row + n)
  }
  head[HEAD.stoppedAt] = at
  return n
}

/** One record: where it ends, or FAILED. */
function walkRecord(plan: Plan, input: Input, out: FlowBatch, row: number, start: number, end: number): number {
  const { view } = input
  let at = start
  for (const step of plan.steps) {
    let length = step.length
    if (length === VARIABLE) {
      if (at + 1 > end) return FAILED
      length = view.getUint8(at)
      at += 1
      if (length === 255) {
        if (at + 2 > end) return FAILED
        length = view.getUint16(at)
        at += 2
      }
    }
    if (at + length > end) return FAILED
    if (step.copy && !(step.unlessZero && isZero(input.bytes, at, length)))
      step.copy.walk(input, at, length, out, step.to, row)
    at += length
  }
  return at
}

function isZero(bytes: Uint8Array, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[from + i] !== 0) return false
  return true
}

function fieldsOf(plan: Plan): Fields {
  return {
    filled: plan.filled,
    families: plan.families,
    protocol: protocolCode(plan.version),
    // OVS has elements for them; its ICMP templates have no ports.
    icmpInPort: !plan.ovs,
  }
}
