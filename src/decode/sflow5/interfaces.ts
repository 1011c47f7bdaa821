/**
 * Interfaces of a flow sample (sFlow v5 §5.2.2): format 2 bits and value 30 bits in the compact form, a word each in the expanded.
 *
 *   0  one interface: its ifIndex; 0 = not known; 0x3fffffff = the device itself
 *   1  discarded: the value is the reason (OVS always says 256, "unknown", also for what it delivered after conntrack)
 *   2  several outputs: the value is how many, 0 = not known
 *
 * OVS says "1 output" in format 2 for a single output whose ifIndex it does not know, such as all that leaves through another bridge
 * (ovs ofproto/ofproto-dpif-xlate.c: fix_sflow_action).
 */
import { enumCodes } from '../../schema/enums.ts'
import type { FlowColumns } from './flow-columns.ts'

// As constants of their own: looked up by name in the hot path each costs as much as a store into a column.
const {
  interface: INTERFACE,
  local: LOCAL,
  none: NONE,
  multiple: SEVERAL,
  unknown_single: UNKNOWN_SINGLE,
} = enumCodes('output_kind')
const { unknown: UNKNOWN, ingress: INGRESS, egress: EGRESS } = enumCodes('flow_direction')

const SINGLE = 0
const DISCARDED = 1
const MULTIPLE = 2
const INTERNAL = 0x3fff_ffff

/** Data source of class "physical entity" (2): the sampler of a whole bridge in OVS, which samples where packets enter. */
const PHYSICAL_ENTITY = 2

export function writeOutput(columns: FlowColumns, row: number, format: number, value: number): void {
  if (format === SINGLE) {
    if (value === 0) return
    columns.u8[columns.outputKind + row] = value === INTERNAL ? LOCAL : INTERFACE
    columns.u32[columns.outIf + row] = value
  } else if (format === DISCARDED) {
    columns.u8[columns.outputKind + row] = NONE
  } else if (format === MULTIPLE) {
    columns.u8[columns.outputKind + row] = value === 1 ? UNKNOWN_SINGLE : SEVERAL
    columns.u32[columns.outIf + row] = value === 1 ? 0 : value
  }
}

/** The direction that the data source of a sample tells: a source that is an interface observes what enters or leaves there. */
export function directionOf(sourceClass: number, source: number, input: number, output: number): number {
  if (sourceClass === PHYSICAL_ENTITY) return INGRESS
  if (sourceClass !== 0 || source === 0) return UNKNOWN
  if (source === input) return INGRESS
  return source === output ? EGRESS : UNKNOWN
}
