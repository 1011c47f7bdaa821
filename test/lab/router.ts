/** A router of the network node in its own namespace: connected networks, floating IPs and SNAT through nftables. */
import { OUTSIDE, type Router } from './cloud.ts'
import { plug } from './node.ts'
import { run, within } from './shell.ts'
import { addAddress, addDefaultRoute, sysctl } from './wiring.ts'

export function buildRouter(router: Router): void {
  const { namespace, inside, outside, floating } = router
  for (const port of inside) plug(port, 'br-int', namespace, port.device)
  plug(outside, 'br-ex', namespace, outside.device)
  for (const each of floating) addAddress(namespace, outside.device, each.outside, 32)
  sysctl(namespace, { 'net.ipv4.ip_forward': 1 })
  addDefaultRoute(namespace, OUTSIDE.address)
  run(within(namespace, 'nft', '-f', '-'), { input: translation(router) })
}

/** As Neutron's L3 agent does with iptables: floating IPs one to one in both directions, all else behind the gateway's address. */
const translation = ({ outside, floating }: Router): string => `
table ip nat {
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${floating.map((each) => `ip daddr ${each.outside} dnat to ${each.inside}`).join('\n    ')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    ${floating.map((each) => `oifname "${outside.device}" ip saddr ${each.inside} snat to ${each.outside}`).join('\n    ')}
    oifname "${outside.device}" ct status != dnat snat to ${outside.address}
  }
}
`
