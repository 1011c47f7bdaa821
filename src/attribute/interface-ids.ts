/**
 * NetFlow with `add_id_to_interface`: OVS puts `(engine_id & 0x7f) << 9 | (port & 0x1ff)` where the interface numbers are
 * (ovs ofproto/netflow.c), which turns the special outputs 65533 … 65535 into 509 … 511.
 */
import type { Columns } from '../schema/columns.ts'
import { OUTPUT } from './codes.ts'

export const PORT_BITS = 9
export const PORT_MASK = 0x1ff
/** From this on a nine-bit port is a special one; its plain number is SPECIAL_LIFT more. */
export const FIRST_SPECIAL = 509
export const SPECIAL_LIFT = 65_024
const OUTPUTS = [OUTPUT.none, OUTPUT.local, OUTPUT.flood] as const

/**
 * Puts the plain port numbers back into in_if, out_if and output_kind of one row. The engine id stays in
 * observation_domain. `inPort` is the ofport found for the ingress, which may be above 511; 0 = not found.
 */
export function splitInterfaces(c: Columns, row: number, engine: number, inPort: number): void {
  const id = engine & 0x7f
  const into = c.in_if[row]!
  const out = c.out_if[row]!
  if (into > PORT_MASK && into >>> PORT_BITS === id) c.in_if[row] = inPort !== 0 ? inPort : plain(into & PORT_MASK)
  if (out <= PORT_MASK || out >>> PORT_BITS !== id) return
  const port = out & PORT_MASK
  c.out_if[row] = plain(port)
  c.output_kind[row] = port >= FIRST_SPECIAL ? OUTPUTS[port - FIRST_SPECIAL]! : OUTPUT.interface
}

function plain(port: number): number {
  return port >= FIRST_SPECIAL ? port + SPECIAL_LIFT : port
}
