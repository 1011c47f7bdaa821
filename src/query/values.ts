import { columnFacts, type ColumnName } from '../schema/columns.ts'
import { macText, readableAddress } from './address.ts'
import { isoTime } from './times.ts'

/**
 * Values of the store as answers show them, in JSON as on screen: addresses with IPv4 dotted, MACs with colons, times in ISO 8601
 * UTC. What is not set is the empty string; numbers stay numbers.
 */

/** The SQL by which a column is read: times as milliseconds, which no output setting of a server can change. */
export function readExpression(column: ColumnName): string {
  return columnFacts(column).kind === 'time' ? `toUnixTimestamp64Milli(${column})` : column
}

/** One value of a column, read by `readExpression`. */
export function readable(column: ColumnName, value: unknown): string | number {
  switch (columnFacts(column).kind) {
    case 'time':
      return Number(value) === 0 ? '' : isoTime(Number(value))
    case 'ip':
      return value === '::' ? '' : readableAddress(String(value))
    case 'mac':
      return Number(value) === 0 ? '' : macText(Number(value))
    case 'text':
    case 'enum':
      return String(value)
    default:
      return Number(value)
  }
}

/**
 * A stored record, all columns. An IPv6 packet may really come from `::` (duplicate address detection), so there it is shown.
 */
export function readableRecord(row: Readonly<Record<string, unknown>>): Record<string, string | number> {
  const record = Object.fromEntries(
    Object.entries(row).map(([column, value]) => [column, readable(column as ColumnName, value)]),
  )
  if (record['ip_version'] === 6)
    for (const column of ['src_addr', 'dst_addr']) if (record[column] === '') record[column] = '::'
  return record
}
