/**
 * What a decoder can say of a datagram. The set is closed, since it labels metrics. Everything but `ok` is counted by exporter
 * and protocol; nothing here is ever thrown.
 */
export const DECODE_STATUS = {
  ok: 'decoded to its end',
  ok_no_rows: 'decoded, it held no flow records (templates, counters, options)',
  short_header: 'shorter than its header',
  bad_version: 'not a version of this protocol',
  bad_count: 'the record count does not fit the length',
  bad_length: 'a length field points outside the datagram or below its own header',
  template_missing: 'a set came before its template; the other sets were kept',
  template_invalid: 'a template with no fields, no length, or too many fields was refused',
  template_mismatch:
    'the records do not fill the set: the layout changed under the same template id; the set was dropped',
  truncated: 'the datagram ends inside a record; the records before it were kept',
  too_many_records: 'more records than a datagram may bring; the rest was dropped',
  unsupported: 'a valid datagram whose encapsulation is not decoded',
  bad_header: 'a mirrored frame whose headers contradict each other',
  too_deep: 'more nested tags, labels or extension headers than are followed',
  template_awaited: 'a set came before its template and is held until that comes; the other sets were decoded',
} as const

export type DecodeStatusName = keyof typeof DECODE_STATUS
export const DECODE_STATUS_NAMES = Object.keys(DECODE_STATUS) as DecodeStatusName[]

/** Index into DECODE_STATUS_NAMES. */
export type DecodeStatus = number

/** Name to index: `STATUS.short_header`. */
export const STATUS = Object.fromEntries(DECODE_STATUS_NAMES.map((name, code) => [name, code])) as Readonly<
  Record<DecodeStatusName, DecodeStatus>
>
