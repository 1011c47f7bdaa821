/** Whether another thing has, or had within the history kept, a key of a new one. */
import { parseIp, parseMac } from '../addresses.ts'
import type { FloatingIp, Port } from '../cloud.ts'
import type { LaneTable } from '../lanes.ts'
import { TEXTS } from '../snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../snapshot/snapshot.ts'

/** Where TEXTS has the port's id. */
const PORT_ID = TEXTS.indexOf('port_id')

export const contested = {
  /** What OVSDB told of the very port before Neutron's list did is not another thing. */
  port({ tables, topology, endpoints, empty }: IdentitySnapshot, port: Port): boolean {
    if (empty) return false
    const isOther = (endpoint: number) => endpoints.text(endpoint, PORT_ID) !== port.id
    const another = (table: LaneTable, raw: number): boolean => {
      if (raw === 0) return false
      return raw > 0 ? isOther(raw) : table.list(raw).some(isOther)
    }
    const network = topology.networkIndex.get(port.network_id) ?? 0
    const mac = parseMac(port.mac_address)
    const { byNetworkMac, byNetworkAddress } = tables
    if (mac !== undefined && another(byNetworkMac, byNetworkMac.get3(network, mac.high | 0, mac.low | 0))) return true
    return port.fixed_ips.some(({ ip_address }) => {
      const lanes = parseIp(ip_address)
      if (lanes === undefined) return false
      const [a, b, c, d] = lanes
      return another(byNetworkAddress, byNetworkAddress.get5(network, a | 0, b | 0, c | 0, d | 0))
    })
  },

  floating({ tables, topology }: IdentitySnapshot, floating: FloatingIp): boolean {
    const network = topology.networkIndex.get(floating.floating_network_id) ?? 0
    const lanes = parseIp(floating.floating_ip_address)
    return lanes !== undefined && tables.byFloating.has([network, ...lanes])
  },
}
