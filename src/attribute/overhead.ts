/**
 * NetFlow of a userspace datapath counts the outer header of every native tunnel that a packet leaves by, 50 bytes for VXLAN over
 * IPv4, except for the packet that set the flow up (native_tunnel_output of ofproto-dpif-xlate.c; seen on OVS 3.1.0). The copy
 * that a mirror sends into a tunnel is such a packet too. All of it is taken off here.
 *
 * Whether a record begins its flow is remembered by its key, since NetFlow's own `First` says it only until the output
 * changes. The memory is bounded and lossy: a forgotten flow costs one header.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { Host } from '../identity/snapshot/vantage.ts'
import { EXTERNAL, KIND } from '../identity/snapshot/endpoints.ts'
import { getU64, setU64 } from '../schema/batch.ts'
import type { Columns } from '../schema/columns.ts'
import { CORRECTIONS } from '../schema/enums.ts'
import { GRADE } from './codes.ts'
import type { End } from './end.ts'
import type { Place } from './place.ts'

const SLOTS = 1 << 16
const MASK = SLOTS - 1
/** Idle flows leave the datapath after `max-idle`, 10 s by default; the next packet sets the flow up again. */
const IDLE_MS = 10_000
/** Ethernet and IPv4 header: no frame is shorter. */
const LEAST_FRAME = 14 + 20

export class TunnelOverhead {
  private readonly keys = new Int32Array(SLOTS * 2)
  private readonly ends = new Float64Array(SLOTS)
  /** Outputs that have had their copy; reused. */
  private readonly outputs: number[] = []

  /** Bytes a packet grew by before it was counted, by tunnels to other hosts and by mirrors; 0 when it did not. */
  perPacket(snapshot: IdentitySnapshot, place: Place, network: number, destination: End): number {
    if (!snapshot.bridges[place.bridge]!.userspace) return 0
    const byMirrors =
      snapshot.hosts[place.host]!.mirrors.length === 0 ? 0 : this.ofMirrors(snapshot, place, destination)
    return byMirrors + this.ofTunnel(snapshot, place, network, destination)
  }

  /** The packet entered at a port of a tunnelled network, and whoever gets it next, the destination or a router, is on another host. */
  private ofTunnel(snapshot: IdentitySnapshot, place: Place, network: number, destination: End): number {
    const { topology, hosts, endpoints } = snapshot
    if (network === 0 || !topology.networks[network]!.tunnelled) return 0
    const { endpoint } = destination
    const kind = endpoints.kind(endpoint)
    if (kind === KIND.unknown || kind === KIND.group) return 0
    const host = hosts[place.host]!
    // A floating IP is reached through the router, also when its server is on this very network.
    const direct = endpoints.network(endpoint) === network && kind !== KIND.snat && destination.grade !== GRADE.floating
    if (direct) return tunnelTo(host, place.host, endpoints.host(endpoint))
    let overhead = 0
    for (const port of snapshot.routerPorts[network] ?? []) {
      if (!leadsTo(snapshot, endpoints.router(port), endpoint)) continue
      const more = tunnelTo(host, place.host, endpoints.host(port))
      // A router here, or routers behind different tunnels: which way it went is not known.
      if (more === 0 || (overhead !== 0 && more !== overhead)) return 0
      overhead = more
    }
    return overhead
  }

  /**
   * The packet entered, or left, by a port that a mirror into a tunnel selects. A bridge makes one copy for each output, however many
   * mirrors and ports select the packet (ovs-facts 4).
   */
  private ofMirrors(snapshot: IdentitySnapshot, place: Place, destination: End): number {
    const { mirrors, hosts, interfaces, endpoints } = snapshot
    const { outputs } = this
    outputs.length = 0
    const network = interfaces.network(place.inIf)
    // What goes through a router leaves by the router's port, and comes back as another record.
    const direct = network === 0 || endpoints.network(destination.endpoint) === network
    const leaving = direct && destination.grade !== GRADE.floating ? place.pluggedBy(destination.endpoint) : 0
    let overhead = 0
    for (const index of hosts[place.host]!.mirrors) {
      const mirror = mirrors[index]!
      if (outputs.includes(mirror.output)) continue
      if (!mirror.source.has(place.inIf) && (leaving === 0 || !mirror.destination.has(leaving))) continue
      outputs.push(mirror.output)
      overhead += mirror.overhead
    }
    return overhead
  }

  /** Takes the overhead off one row, unless it was taken off before. */
  correct(columns: Columns, row: number, perPacket: number, inIf: number): void {
    const { bit } = CORRECTIONS.tunnel_overhead
    if ((columns.corrections[row]! & bit) !== 0) return
    const packets = getU64(columns.packets, row)
    const begins = !this.remember(columns, row, inIf)
    const l2Bytes = getU64(columns.l2_bytes, row)
    const bytes = getU64(columns.bytes, row)
    const overhead = perPacket * (packets - (begins ? 1 : 0))
    if (overhead <= 0 || l2Bytes - overhead < LEAST_FRAME * packets || bytes < overhead) return
    setU64(columns.l2_bytes, row, l2Bytes - overhead)
    setU64(columns.bytes, row, bytes - overhead)
    columns.corrections[row]! |= bit
  }

  /** Notes the record; true when its flow was seen shortly before. */
  private remember(c: Columns, row: number, inIf: number): boolean {
    const source = c.src_addr[row * 4 + 3]!
    const destination = c.dst_addr[row * 4 + 3]!
    const ports = (c.src_l4_port[row]! << 16) | c.dst_l4_port[row]!
    const rest = (c.tos[row]! << 24) | (c.ip_protocol[row]! << 16) | (c.in_if[row]! & 0xffff)
    const one = stir(stir(stir(stir(inIf) ^ source) ^ destination) ^ ports) ^ rest
    const other = stir(stir(stir(stir(one ^ rest) ^ ports) ^ source) ^ destination)
    const slot = stir(one) & MASK
    const { keys, ends } = this
    const start = getU64(c.flow_start, row)
    const known = keys[slot * 2] === one && keys[slot * 2 + 1] === other && start <= ends[slot]! + IDLE_MS
    keys[slot * 2] = one
    keys[slot * 2 + 1] = other
    ends[slot] = getU64(c.flow_end, row)
    return known
  }
}

/** What the tunnel from here to another host adds; 0 when it is the same host, or one that no tunnel leads to. */
function tunnelTo({ tunnels }: Host, here: number, there: number): number {
  return there === 0 || there === here ? 0 : (tunnels.get(there) ?? tunnels.get(0) ?? 0)
}

function leadsTo(snapshot: IdentitySnapshot, router: number, endpoint: number): boolean {
  const { topology, endpoints } = snapshot
  const { networks, gatewayNetwork } = topology.routers[router]!
  if (endpoint === EXTERNAL || endpoints.kind(endpoint) === KIND.snat) return gatewayNetwork !== 0
  return networks.includes(endpoints.network(endpoint)) || gatewayNetwork !== 0
}

function stir(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return value ^ (value >>> 13)
}
