/**
 * Template records of IPFIX (RFC 7011 §3.4) and NetFlow v9 (RFC 3954 §5.2, §6.1). Big-endian.
 *
 *   template           id u16 ≥ 256 | field count u16 | fields
 *   IPFIX options      id u16 ≥ 256 | field count u16 | scope field count u16 ≥ 1 | fields, the scopes first
 *   v9 options         id u16 ≥ 256 | scope length u16 | options length u16, both in bytes | scope fields | fields
 *   field              element u16 | length u16 | if IPFIX and the element's top bit is set: enterprise u32
 *
 * A field count of zero withdraws a template (RFC 7011 §8.1). §8.4: over UDP a withdrawal is ignored; templates age out instead.
 */
export const NETFLOW9 = 9
export const IPFIX = 10
export type Version = typeof NETFLOW9 | typeof IPFIX

/** Length that says "variable" in a template. */
export const VARIABLE = 0xffff
const ENTERPRISE_BIT = 0x8000
const MAX_RECORD = 0xffff - 4

/** The field specifiers of a template, as they came. Two templates with equal specs have one layout. */
export interface Spec {
  readonly version: Version
  /** How many of the fields are scopes; -1 for a data template. */
  readonly scopes: number
  /** The specifiers, one character a byte: a third of the memory of anything parsed, compared without being parsed. */
  readonly fields: string
}

/** A field of a template. */
export interface Field {
  readonly id: number
  readonly pen: number
  /** Bytes, or VARIABLE. */
  readonly length: number
  readonly scope: boolean
}

/** The template record that `readTemplate` found. Reused. */
export interface TemplateRecord {
  id: number
  scopes: number
  /** Where the specifiers lie. */
  start: number
  end: number
  kind: 'template' | 'withdrawal' | 'refused' | 'padding' | 'broken'
}

/**
 * Reads the template record at `at` of a set that ends at `setEnd`, at least four bytes before it.
 *
 * `kind` tells what it is: `refused` has its `end` set, so the records after it can be read; after `broken` and `padding` nothing
 * can. Refused are templates with more than `maxFields` fields, without length (a record of no length would never end) or longer
 * than any set, and options templates without scope.
 */
export function readTemplate(
  view: DataView,
  at: number,
  setEnd: number,
  version: Version,
  options: boolean,
  maxFields: number,
  record: TemplateRecord,
): void {
  const id = view.getUint16(at)
  const count = view.getUint16(at + 2)
  record.id = id
  record.scopes = -1
  record.end = setEnd
  if (id === 0 && count === 0) return void (record.kind = 'padding')
  if (count === 0 && (!options || version === IPFIX)) {
    // Ids 2 and 3 withdraw all templates, or all options templates.
    record.kind = 'withdrawal'
    record.end = at + 4
    return
  }
  record.kind = 'broken'
  if (id < 256) return
  let fields = count
  let start = at + 4
  if (options) {
    if (setEnd - start < 2) return
    const second = view.getUint16(start)
    start += 2
    if (version === NETFLOW9) {
      if (count % 4 !== 0 || second % 4 !== 0) return
      record.scopes = count / 4
      fields = (count + second) / 4
    } else {
      record.scopes = second
    }
  }
  if (!measure(view, start, setEnd, version, fields, record)) return
  if (fields > maxFields || (options && (record.scopes < 1 || record.scopes > fields))) record.kind = 'refused'
}

/** Finds the end of `fields` specifiers and whether records of that layout can be; false when they leave the set. */
function measure(
  view: DataView,
  start: number,
  setEnd: number,
  version: Version,
  fields: number,
  record: TemplateRecord,
): boolean {
  let at = start
  let least = 0
  for (let i = 0; i < fields; i++) {
    if (setEnd - at < 4) return false
    const length = view.getUint16(at + 2)
    least += length === VARIABLE ? 1 : length
    at += version === IPFIX && view.getUint16(at) >= ENTERPRISE_BIT ? 8 : 4
  }
  if (at > setEnd) return false
  record.start = start
  record.end = at
  record.kind = least === 0 || least > MAX_RECORD ? 'refused' : 'template'
  return true
}

/** The fields of a spec. */
export function fieldsOf({ version, scopes, fields: raw }: Spec): Field[] {
  const fields: Field[] = []
  const u16 = (at: number) => (raw.charCodeAt(at) << 8) | raw.charCodeAt(at + 1)
  for (let at = 0; at < raw.length;) {
    const element = u16(at)
    const enterprise = version === IPFIX && element >= ENTERPRISE_BIT
    const scope = fields.length < scopes
    fields.push({
      // Scopes of NetFlow v9 (1 system, 2 interface, 3 line card …) are not elements: they have numbers of their own.
      id: scope && version === NETFLOW9 ? 0 : enterprise ? element - ENTERPRISE_BIT : element,
      pen: enterprise ? u16(at + 4) * 0x1_0000 + u16(at + 6) : 0,
      length: u16(at + 2),
      scope,
    })
    at += enterprise ? 8 : 4
  }
  return fields
}

/** Bytes a record takes at least; with no variable field exactly. */
export function minLength(fields: readonly Field[]): number {
  return fields.reduce((sum, { length }) => sum + (length === VARIABLE ? 1 : length), 0)
}
