/**
 * Ends that are not known, or not told apart, for a reason that a later model may cure; and ports that OVSDB knows before Neutron does,
 * whose project and network are still to come.
 */
import type { FlowBatch } from '../schema/batch.ts'
import { enumValues, type EnumValue } from '../schema/enums.ts'

/** Which ends of a record: bits. */
export const UNSURE = { source: 1, destination: 2 } as const

const CURABLE: ReadonlySet<EnumValue<'evidence'>> = new Set([
  'no_model',
  'no_host',
  'no_interface',
  'no_network',
  'no_match',
  'several_matches',
])
const IS_CURABLE = Uint8Array.from(enumValues('evidence'), (name) => (CURABLE.has(name) ? 1 : 0))

/**
 * Told of a row with such an end before anything in it is corrected by the model; what attribution writes is not there yet. `ends` are
 * bits of UNSURE, `source` and `destination` the Neutron ports that they certainly are all the same, '' where none is. Only valid during the call.
 */
export type OnUnsure = (batch: FlowBatch, row: number, ends: number, source: string, destination: string) => void

/** Bits of UNSURE, by the codes of both ends' evidence. */
export function unsureBy(source: number, destination: number): number {
  return IS_CURABLE[source]! | (IS_CURABLE[destination]! << 1)
}
