import { AppError } from '../errors.ts'
import type { ColumnName } from '../schema/columns.ts'
import { quoted } from './request.ts'

/**
 * Ids of records, made when they are asked for, so that nothing is stored for them: the record's time and 53 bits of a hash of what
 * was received. What attribution adds is not in it: names may be learned later, and the record is still the same.
 */
const HASHED = [
  'flow_end',
  'flow_start',
  'time_received',
  'export_protocol',
  'exporter',
  'agent',
  'observation_domain',
  'observation_point',
  'sequence',
  'in_if',
  'out_if',
  'flow_direction',
  'src_mac',
  'dst_mac',
  'ether_type',
  'vlan',
  'src_addr',
  'dst_addr',
  'ip_protocol',
  'tos',
  'src_l4_port',
  'dst_l4_port',
  'tcp_flags',
  'icmp_type',
  'icmp_code',
  'tunnel_key',
  'packets',
  'samples',
] as const satisfies readonly ColumnName[]

/** The hash of a record, in SQL: a number that JavaScript holds exactly. */
export const RECORD_HASH = `bitShiftRight(sipHash64(${HASHED.join(', ')}), 11)`

const ID = /^([0-9a-z]{1,9})\.([0-9a-z]{1,11})$/

/** `mib2x3a1.1x9f3k`: milliseconds of `flow_end` and the hash, both in base 36. */
export function recordId(flowEndMs: number, hash: number): string {
  return `${flowEndMs.toString(36)}.${hash.toString(36)}`
}

/** Errors: usage. */
export function parseRecordId(id: string): { flowEndMs: number; hash: number } {
  const [, ms, hash] = ID.exec(id.trim()) ?? []
  if (ms === undefined || hash === undefined)
    throw new AppError('usage', `${quoted(id)} is no id of a record; the column id of ovsight flows -f json has them`)
  return { flowEndMs: Number.parseInt(ms, 36), hash: Number.parseInt(hash, 36) }
}
