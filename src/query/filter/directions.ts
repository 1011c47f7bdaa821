import type { EnumValue } from '../../schema/enums.ts'

/**
 * THE table of directions: classes of traffic by the names operators use, and where the exporter saw the packet.
 */
export const DIRECTIONS = {
  'north-south': { column: 'traffic_class', values: ['north_south_out', 'north_south_in'] },
  'east-west': { column: 'traffic_class', values: ['same_network', 'routed', 'between_projects'] },
  outbound: { column: 'traffic_class', values: ['north_south_out'] },
  inbound: { column: 'traffic_class', values: ['north_south_in'] },
  ingress: { column: 'flow_direction', values: ['ingress'] },
  egress: { column: 'flow_direction', values: ['egress'] },
} as const satisfies Readonly<Record<string, ClassDirection | ObservedDirection>>

interface ClassDirection {
  column: 'traffic_class'
  values: readonly EnumValue<'traffic_class'>[]
}

interface ObservedDirection {
  column: 'flow_direction'
  values: readonly EnumValue<'flow_direction'>[]
}

export type DirectionName = keyof typeof DIRECTIONS

export function isDirection(name: string): name is DirectionName {
  return Object.hasOwn(DIRECTIONS, name)
}
