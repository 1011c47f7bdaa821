/**
 * The templates of Open vSwitch known beforehand, for what comes before they do (ofproto/ofproto-dpif-ipfix.c, since 2.9). Their number
 * tells the layout:
 *
 *   id = 256 + ((((l2 * 3 + l3) * 5 + l4) * 2 + tunnel) * 2 + direction)
 *   l2 0 untagged, 1 VLAN | l3 0 other, 1 IPv4, 2 IPv6 | l4 0 other, 1 TCP, 2 UDP, 3 SCTP, 4 ICMP | direction 0 ingress, 1 egress
 *
 * with or without virtualObsID. The two differ in length by what only one of them has, so a record fills its set exactly by one of them at
 * most; and what stands in it must say the same as its number.
 */
import { getU64, type FlowBatch } from '../../schema/batch.ts'
import { enumCodes } from '../../schema/enums.ts'
import { VMWARE } from './elements.ts'
import type { Layout, Layouts } from './layouts.ts'
import { IPFIX, VARIABLE, type Spec } from './template.ts'

type Fields = readonly (readonly [id: number, length: number, pen?: number])[]

const FIRST_ID = 256
const IDS = 120
const ETHERNET_HEADER = 14
const VLAN_HEADER = 18
const ETHER_TYPES = [0, 0x0800, 0x86dd]
const IP_VERSIONS = [0, 4, 6]
const PROTOCOLS = [[], [6], [17], [132], [1, 58]]
/** Offsets in every record: flowDirection, ethernetType, ethernetHeaderLength. */
const DIRECTION_AT = 4
const ETHER_TYPE_AT = 17
const HEADER_LENGTH_AT = 19
const DIRECTION = enumCodes('flow_direction')

const COMMON: Fields = [
  [138, 4],
  [61, 1],
  [56, 6],
  [80, 6],
  [256, 2],
  [240, 1],
]
const INGRESS: Fields = [
  [10, 4],
  [368, 4],
  [82, VARIABLE],
  [83, VARIABLE],
]
const EGRESS: Fields = [
  [14, 4],
  [369, 4],
  [82, VARIABLE],
  [83, VARIABLE],
]
const VLAN: Fields = [
  [58, 2],
  [243, 2],
  [244, 1],
]
const IP: Fields = [
  [60, 1],
  [192, 1],
  [4, 1],
  [195, 1],
  [196, 1],
  [5, 1],
]
const ADDRESSES: readonly Fields[] = [
  [],
  [
    [8, 4],
    [12, 4],
  ],
  [
    [27, 16],
    [28, 16],
    [31, 4],
  ],
]
const PORTS: Fields = [
  [7, 2],
  [11, 2],
]
const ICMP: readonly Fields[] = [
  [],
  [
    [176, 1],
    [177, 1],
  ],
  [
    [178, 1],
    [179, 1],
  ],
]
const TUNNEL: Fields = [
  [893, 4, VMWARE],
  [894, 4, VMWARE],
  [895, 1, VMWARE],
  [896, 2, VMWARE],
  [897, 2, VMWARE],
  [891, 1, VMWARE],
  [892, VARIABLE, VMWARE],
]
const LABEL: Fields = [[898, VARIABLE, VMWARE]]
const COUNTS: Fields = [
  [158, 4],
  [159, 4],
  ...[133, 135, 2, 86, 354, 355, 356, 357, 358, 19, 174, 352, 353].map((id) => [id, 8] as const),
  [136, 1],
]
const IP_COUNTS: Fields = [132, 134, 1, 85, 198, 199, 25, 26, 20, 175].map((id) => [id, 8] as const)
const TCP_COUNTS: Fields = [222, 219, 221, 220, 218, 223].map((id) => [id, 8] as const)

interface Parts {
  l2: number
  l3: number
  l4: number
  tunnel: number
  direction: number
}

/** What a template id says; undefined for those that Open vSwitch does not use. */
function partsOf(id: number): Parts | undefined {
  const n = id - FIRST_ID
  if (n < 0 || n >= IDS) return undefined
  const layers = n >> 2
  const parts = {
    l2: Math.floor(layers / 15),
    l3: Math.floor(layers / 5) % 3,
    l4: layers % 5,
    tunnel: (n >> 1) & 1,
    direction: n & 1,
  }
  return parts.l3 === 0 && parts.l4 !== 0 ? undefined : parts
}

/** The field specifiers of Open vSwitch's template `id`, `labelled` with virtualObsID; undefined for an id that it does not use. */
export function ovsSpec(id: number, labelled: boolean): Spec | undefined {
  const parts = partsOf(id)
  if (parts === undefined) return undefined
  const { l2, l3, l4, tunnel, direction } = parts
  const fields = [
    ...COMMON,
    ...INGRESS,
    ...(direction === 1 ? EGRESS : []),
    ...(l2 === 1 ? VLAN : []),
    ...(l3 > 0 ? IP : []),
    ...ADDRESSES[l3]!,
    ...(l4 === 4 ? ICMP[l3]! : l4 > 0 ? PORTS : []),
    ...(tunnel === 1 ? TUNNEL : []),
    ...(labelled ? LABEL : []),
    ...COUNTS,
    ...(l3 > 0 ? IP_COUNTS : []),
    ...(l4 === 1 ? TCP_COUNTS : []),
  ]
  return {
    version: IPFIX,
    scopes: -1,
    fields: fields.map(([element, length, pen]) => specifier(element, length, pen)).join(''),
  }
}

function specifier(element: number, length: number, pen?: number): string {
  const bytes = Buffer.alloc(pen === undefined ? 4 : 8)
  bytes.writeUInt16BE(pen === undefined ? element : element | 0x8000, 0)
  bytes.writeUInt16BE(length, 2)
  if (pen !== undefined) bytes.writeUInt32BE(pen, 4)
  return bytes.toString('latin1')
}

/** Whether a record at `at` begins as one of Open vSwitch's template `id` does. */
export function looksLikeOvs(view: DataView, id: number, at: number, end: number): boolean {
  const parts = partsOf(id)
  if (parts === undefined || end - at <= HEADER_LENGTH_AT) return false
  const { l2, l3, direction } = parts
  return (
    view.getUint8(at + DIRECTION_AT) === direction &&
    view.getUint8(at + HEADER_LENGTH_AT) === (l2 === 1 ? VLAN_HEADER : ETHERNET_HEADER) &&
    Math.max(0, ETHER_TYPES.indexOf(view.getUint16(at + ETHER_TYPE_AT))) === l3
  )
}

/** Whether a row says what the template's number says, and nothing that a record cannot: an end before its start, 2^40 packets. */
export function rowFits({ columns }: FlowBatch, row: number, id: number): boolean {
  const { l3, l4, direction } = partsOf(id)!
  const protocols = PROTOCOLS[l4]!
  return (
    getU64(columns.flow_start, row) <= getU64(columns.flow_end, row) &&
    columns.packets[row * 2 + 1]! < 256 &&
    columns.flow_direction[row] === (direction === 1 ? DIRECTION.egress : DIRECTION.ingress) &&
    columns.ip_version[row] === IP_VERSIONS[l3] &&
    (protocols.length === 0 || protocols.includes(columns.ip_protocol[row]!))
  )
}

/** Layouts that are presumed, and which of them a template has not confirmed yet. */
export class Presumptions {
  private readonly layouts: Layouts
  private readonly awaiting = new Uint8Array(IDS)
  private readonly specs: (readonly Spec[] | undefined)[] = []
  private readonly known: (readonly Layout[] | undefined)[] = []

  constructor(layouts: Layouts) {
    this.layouts = layouts
  }

  /** The layouts that records of template `id` may have. They stay: to plan them anew for every record takes longer than to decode it. */
  layoutsOf(id: number): readonly Layout[] {
    return (this.known[id - FIRST_ID] ??= this.specsOf(id).map((spec) => this.layouts.pin(spec)))
  }

  /** A layout of template `id` was taken. */
  used(id: number): void {
    this.awaiting[id - FIRST_ID] = 1
  }

  /** Whether one of template `id` was taken that no template has confirmed or refuted. */
  awaits(id: number): boolean {
    return this.awaiting[id - FIRST_ID] === 1
  }

  /** The first real template `id` has come: whether it is what was presumed. */
  meets(id: number, fields: string | undefined): boolean {
    this.awaiting[id - FIRST_ID] = 0
    return this.specsOf(id).some((spec) => spec.fields === fields)
  }

  private specsOf(id: number): readonly Spec[] {
    return (this.specs[id - FIRST_ID] ??= [false, true].flatMap((labelled) => ovsSpec(id, labelled) ?? []))
  }
}
