/** Indices of the closed sets of the schema, for the hot path. */
import { enumCodes, enumValues } from '../schema/enums.ts'
import { ENDPOINT_KINDS } from '../identity/snapshot/endpoints.ts'

export const PROTOCOL = enumCodes('export_protocol')
export const DIRECTION = enumCodes('flow_direction')
export const OUTPUT = enumCodes('output_kind')
export const TUNNEL = enumCodes('tunnel_type')
export const END = enumCodes('end_kind')
export const GRADE = enumCodes('grade')
export const EVIDENCE = enumCodes('evidence')
export const ROLE = enumCodes('role')
export const CLASS = enumCodes('traffic_class')

/** Kind of an endpoint in the model → its code in the schema. */
export const END_OF_KIND = Uint8Array.from(ENDPOINT_KINDS, (name) => END[name])

/** Tunnel type in the schema → its place in the model's table of VNIs, −1 when it has none. */
export const VNI_TYPE = Int8Array.from(enumValues('tunnel_type'), (name) => ['vxlan', 'gre', 'geneve'].indexOf(name))
