/** What to do with each field of a layout: which element of the table it is, which column it fills, and what no field fills. */
import type { ColumnName } from '../../schema/columns.ts'
import { enumCodes } from '../../schema/enums.ts'
import { COPIES, type Copy } from '../copies.ts'
import { findElement, OVS_MARKS, SAMPLER_IDS, SYSTEM_INIT_TIME, type Element } from './elements.ts'
import { fieldsOf, IPFIX, minLength, VARIABLE, type Field, type Spec, type Version } from './template.ts'

/** A field that is copied, or a run of fields that is skipped. */
export interface Step {
  /** Bytes, or VARIABLE. */
  readonly length: number
  /** Absent: skipped. */
  readonly copy?: Copy
  readonly to: ColumnName
  /** An earlier step fills this column too: zero does not overwrite. */
  readonly unlessZero: boolean
}

export interface Plan {
  readonly version: Version
  readonly steps: readonly Step[]
  readonly minLength: number
  /** All fields have fixed lengths, so every record is `minLength` long. */
  readonly fixed: boolean
  /** Open vSwitch sends it: records fill their set exactly, counts are scaled already. */
  readonly ovs: boolean
  /** Columns that a step fills. */
  readonly filled: ReadonlySet<ColumnName>
  /** The address families of the template. */
  readonly families: 'none' | 'ipv4' | 'ipv6' | 'both'
  /** Offset of systemInitTimeMilliseconds in the record, -1 without it. */
  readonly initTimeAt: number
  /** What the fields put into sampling_rate: nothing, a rate, or the number of a sampler. */
  readonly sampling: 'none' | 'rate' | 'sampler'
}

/** Plans the records of a data template. */
export function planRecords(spec: Spec): Plan {
  const fields = fieldsOf(spec)
  const ovs = spec.version === IPFIX && isOvs(fields)
  const initTimeAt = findInitTime(fields)
  const chosen = chooseElements(fields, scopesOf(spec.version, ovs, initTimeAt))
  const filled = new Set<ColumnName>()
  const steps: Step[] = []
  let [ip4, ip6, sampler, fixed] = [false, false, false, true]
  for (const [i, { length }] of fields.entries()) {
    if (length === VARIABLE) fixed = false
    const found = chosen[i]
    if (found === undefined) {
      skip(steps, length)
      continue
    }
    const { element, to } = found
    steps.push({ length, copy: COPIES[element.copy], to, unlessZero: filled.has(to) })
    filled.add(to)
    if (element.copy === 'icmpTypeCode') filled.add('icmp_code')
    if (element.pen !== undefined) continue
    ip4 ||= IP4.includes(element.id)
    ip6 ||= IP6.includes(element.id)
    sampler ||= SAMPLER_IDS.includes(element.id)
  }
  return {
    version: spec.version,
    steps,
    minLength: minLength(fields),
    fixed,
    ovs,
    filled,
    families: ip4 ? (ip6 ? 'both' : 'ipv4') : ip6 ? 'ipv6' : 'none',
    initTimeAt,
    sampling: !filled.has('sampling_rate') ? 'none' : sampler ? 'sampler' : 'rate',
  }
}

/** Elements of the addresses of each family. */
const IP4: readonly number[] = [8, 12]
const IP6: readonly number[] = [27, 28]

function isOvs(fields: readonly Field[]): boolean {
  return (
    fields.length >= OVS_MARKS.length &&
    OVS_MARKS.every((mark) => fields.some(({ id, pen }) => id === mark && pen === 0))
  )
}

function scopesOf(version: Version, ovs: boolean, initTimeAt: number): string[] {
  if (ovs) return ['ovs']
  if (version !== IPFIX) return ['others', 'netflow9']
  return initTimeAt < 0 ? ['others'] : ['others', 'ipfix_of_others']
}

/** Where systemInitTimeMilliseconds lies, if every field before it has a fixed length. */
function findInitTime(fields: readonly Field[]): number {
  let offset = 0
  for (const { id, pen, length } of fields) {
    if (id === SYSTEM_INIT_TIME && pen === 0 && length === 8) return offset
    if (length === VARIABLE) return -1
    offset += length
  }
  return -1
}

interface Chosen {
  readonly element: Element
  readonly to: ColumnName
}

/** Which element each field is copied as, by index: of those with the same column the ones of the lowest rank. */
function chooseElements(fields: readonly Field[], scopes: readonly string[]): (Chosen | undefined)[] {
  const seen = new Set<Element>()
  const best = new Map<ColumnName, number>()
  const chosen = fields.map(({ pen, id, length }): Chosen | undefined => {
    const element = findElement(pen, id, length, scopes)
    if (element === undefined) return undefined
    const to = seen.has(element) ? element.again : element.to
    seen.add(element)
    // Of a third occurrence nobody knows what it is.
    if (to === undefined || (to === element.again && best.has(to))) return undefined
    best.set(to, Math.min(best.get(to) ?? Infinity, element.rank ?? 0))
    return { element, to }
  })
  return seen.size < 2 ? chosen : chosen.map((one) => (one !== undefined && (one.element.rank ?? 0) > best.get(one.to)! ? undefined : one)) // prettier-ignore
}

/** Skipped fields of fixed length that follow each other are one step. */
function skip(steps: Step[], length: number): void {
  const last = steps.at(-1)
  if (last !== undefined && last.copy === undefined && last.length !== VARIABLE && length !== VARIABLE)
    steps[steps.length - 1] = { ...last, length: last.length + length }
  else steps.push({ length, to: 'flow_end', unlessZero: false })
}

const PROTOCOLS = enumCodes('export_protocol')

export function protocolCode(version: Version): number {
  return version === IPFIX ? PROTOCOLS.ipfix : PROTOCOLS.netflow9
}
