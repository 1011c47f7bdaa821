/** Class of the traffic between two ends (TRAFFIC_CLASS). */
import { KIND } from '../identity/snapshot/endpoints.ts'
import { CLASS } from './codes.ts'

/** What an end is to this question: not known, of the cloud itself, a tenant's, outside, a group. */
const NOBODY = 0
const CLOUD = 1
const TENANT = 2
const OUTSIDE = 3
const GROUP = 4

const SIDE = new Uint8Array(Object.keys(KIND).length)
SIDE[KIND.server] = TENANT
SIDE[KIND.other] = TENANT
SIDE[KIND.snat] = TENANT
SIDE[KIND.floating] = TENANT
SIDE[KIND.router] = CLOUD
SIDE[KIND.dhcp] = CLOUD
SIDE[KIND.infrastructure] = CLOUD
SIDE[KIND.external] = OUTSIDE
SIDE[KIND.group] = GROUP

/** What is asked of the ends. */
interface Ends {
  kind(end: number): number
  network(end: number): number
  project(end: number): number
}

export function trafficClass(endpoints: Ends, source: number, destination: number): number {
  const from = SIDE[endpoints.kind(source)]!
  const to = SIDE[endpoints.kind(destination)]!
  if (from === NOBODY || to === NOBODY) return CLASS.unknown
  if (from === CLOUD || to === CLOUD) return CLASS.infrastructure
  if (from === OUTSIDE) return to === TENANT ? CLASS.north_south_in : CLASS.unknown
  if (to === OUTSIDE) return CLASS.north_south_out
  // Broadcast and multicast stay in their network.
  if (to === GROUP) return CLASS.same_network
  if (endpoints.network(source) === endpoints.network(destination)) return CLASS.same_network
  return endpoints.project(source) === endpoints.project(destination) ? CLASS.routed : CLASS.between_projects
}
