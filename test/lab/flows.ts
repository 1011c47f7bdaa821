/**
 * OpenFlow tables of br-int and br-tun as Neutron's Open vSwitch agent writes them for VXLAN networks without l2population and
 * without distributed routing (neutron/plugins/ml2/drivers/openvswitch/agent/openflow/native/br_tun.py):
 *
 *   0   where from: br-int → 2, a tunnel → 4
 *   2   unicast → 20, broadcast and multicast → 22
 *   4   tunnel key → local VLAN, then 10
 *   10  learn the sender into table 20, then to br-int
 *   20  learned unicast; else 22
 *   22  flood: each local VLAN to all tunnels under its tunnel key
 *
 * A tunnel never answers into a tunnel, which keeps the full mesh free of loops.
 */
import { NETWORKS, type Node } from './cloud.ts'

const FROM_BRIDGE = 2
const FROM_TUNNEL = 4
const LEARN = 10
const UNICAST = 20
const FLOOD = 22

const learn = [
  `table=${UNICAST}`,
  'hard_timeout=300',
  'priority=1',
  'NXM_OF_VLAN_TCI[0..11]',
  'NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]',
  'load:0->NXM_OF_VLAN_TCI[]',
  'load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[]',
  'output:OXM_OF_IN_PORT[]',
].join(',')

/** Flows of br-tun, one a line as `ovs-ofctl add-flows` reads them; `tunnels` are the OpenFlow ports of the tunnel interfaces. */
export function tunnelFlows(node: Node, patchPort: number, tunnels: readonly number[]): string {
  const networks = NETWORKS.flatMap(({ name, vni }) => {
    const tag = node.tags[name]
    return vni === undefined || tag === undefined ? [] : [{ vni, tag }]
  })
  const outputs = tunnels.map((port) => `output:${port}`).join(',')
  return [
    `table=0,priority=1,in_port=${patchPort},actions=resubmit(,${FROM_BRIDGE})`,
    ...tunnels.map((port) => `table=0,priority=1,in_port=${port},actions=resubmit(,${FROM_TUNNEL})`),
    'table=0,priority=0,actions=drop',
    `table=${FROM_BRIDGE},priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00,actions=resubmit(,${UNICAST})`,
    `table=${FROM_BRIDGE},priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,actions=resubmit(,${FLOOD})`,
    ...networks.map(
      ({ vni, tag }) => `table=${FROM_TUNNEL},priority=1,tun_id=${vni},actions=mod_vlan_vid:${tag},resubmit(,${LEARN})`,
    ),
    `table=${FROM_TUNNEL},priority=0,actions=drop`,
    `table=${LEARN},priority=1,actions=learn(${learn}),output:${patchPort}`,
    `table=${UNICAST},priority=0,actions=resubmit(,${FLOOD})`,
    ...networks.map(
      ({ vni, tag }) => `table=${FLOOD},priority=1,dl_vlan=${tag},actions=strip_vlan,set_tunnel:${vni},${outputs}`,
    ),
    `table=${FLOOD},priority=0,actions=drop`,
  ].join('\n')
}

/** br-int without the Open vSwitch firewall: what no table claims is switched by MAC and local VLAN. */
export const INTEGRATION_FLOWS = [
  'table=0,priority=0,actions=resubmit(,60)',
  'table=60,priority=3,actions=NORMAL',
].join('\n')
