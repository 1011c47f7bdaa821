/** One test a rule by which an end is resolved; docs/identity.md has them in order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  addMirror,
  BROADCAST,
  device,
  floating,
  IPFIX,
  Lab,
  MACS,
  NETFLOW,
  network,
  OUTSIDE_MAC,
  plug,
  port,
  SFLOW,
  subnet,
  vm,
} from './lab.ts'
import { attributedOne, type EndSeen, type Row } from './rows.ts'

const C0 = '10.0.0.10'
const C1 = '10.0.0.11'
const N0 = '10.0.0.20'

/** NetFlow of OVS: addresses and OpenFlow ports, nothing else. */
const netflow = (row: Row): Row => ({
  export_protocol: 'netflow5',
  exporter: C0,
  flow_direction: 'ingress',
  ip_version: 4,
  ...row,
})
const ipfix = (row: Row): Row => ({
  export_protocol: 'ipfix',
  exporter: C0,
  flow_direction: 'ingress',
  src_mac: MACS['red-1'],
  dst_mac: MACS['red-2'],
  src_addr: '192.168.10.8',
  dst_addr: '192.168.10.9',
  ...row,
})
const sflow = (row: Row): Row => ({ ...ipfix(row), export_protocol: 'sflow5' })
const mirror = (row: Row): Row => ({ ...ipfix(row), export_protocol: 'gre', flow_direction: 'unknown', ...row })

/** The parts of an end that a test is about. */
function is(end: EndSeen, expected: Partial<EndSeen>): void {
  const found = Object.fromEntries(Object.keys(expected).map((key) => [key, end[key as keyof EndSeen]]))
  assert.deepEqual(found, expected)
}

describe('an end at an interface', () => {
  it('is the port of the OpenFlow port number, on the bridge that exports', () => {
    const row = attributedOne(
      new Lab({ netflow: NETFLOW }).snapshot(),
      netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: 'red-1', project: 'red', network: 'red-1', host: 'c0', grade: 'port', evidence: 'ofport' })
    is(row.dst, { who: 'red-2', project: 'red', host: 'c1', grade: 'address', evidence: 'network_address' })
    assert.equal(row.column('in_if_name'), 'tap-red-1')
    assert.equal(row.column('exporter_host'), 'c0')
    assert.equal(row.column('bridge'), 'br-int')
  })

  it('of tenants with the same addresses is told apart by the port alone', () => {
    const row = attributedOne(
      new Lab({ netflow: NETFLOW }).snapshot(),
      netflow({ in_if: 4, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: 'blue-1', project: 'blue', grade: 'port' })
    is(row.dst, { who: 'blue-2', project: 'blue', grade: 'address' })
  })

  it('whose source address is not its own is still that port, but unverified', () => {
    const row = attributedOne(
      new Lab({ netflow: NETFLOW }).snapshot(),
      netflow({ in_if: 2, src_addr: '8.8.8.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: 'red-1', grade: 'port_unverified', evidence: 'ofport' })
  })

  it('may use the addresses of its allowed address pairs, single or a range', () => {
    const lab = new Lab({ netflow: NETFLOW })
    lab.portOf('red-1').allowed_address_pairs = [
      { ip_address: '192.168.10.100', mac_address: '' },
      { ip_address: '10.9.0.0/16', mac_address: '' },
    ]
    for (const address of ['192.168.10.100', '10.9.1.2']) {
      const row = attributedOne(lab.snapshot(), netflow({ in_if: 2, src_addr: address, dst_addr: '192.168.10.9' }))
      is(row.src, { who: 'red-1', grade: 'port' })
    }
  })

  it('is verified by the MAC where the address means nothing: ARP, link-local, DHCP', () => {
    const lab = new Lab({ ipfix: IPFIX }).snapshot()
    for (const address of ['::', 'fe80::1', '0.0.0.0']) {
      const row = attributedOne(lab, ipfix({ in_if_name: 'tap-red-1', src_addr: address }))
      is(row.src, { who: 'red-1', grade: 'port' })
      const spoofed = attributedOne(lab, ipfix({ in_if_name: 'tap-red-1', src_addr: address, src_mac: OUTSIDE_MAC }))
      is(spoofed.src, { who: 'red-1', grade: 'port_unverified' })
    }
  })

  it('is found by its exported name, and by its ifIndex where there is none', () => {
    const lab = new Lab({ ipfix: IPFIX, sflow: SFLOW }).snapshot()
    is(attributedOne(lab, ipfix({ in_if_name: 'tap-red-1' })).src, { who: 'red-1', evidence: 'if_name' })
    is(attributedOne(lab, sflow({ in_if: 102 })).src, { who: 'red-1', evidence: 'if_index' })
  })

  it('is seen by the agent of sFlow, though the datagram comes from another address', () => {
    const row = attributedOne(
      new Lab({ sflow: SFLOW }).snapshot(),
      sflow({ in_if: 102, exporter: '10.7.7.7', agent: C0 }),
    )
    is(row.src, { who: 'red-1', host: 'c0' })
  })

  it('that left by it got the frame, also when it was broadcast', () => {
    const row = attributedOne(
      new Lab({ ipfix: IPFIX }).snapshot(),
      ipfix({ exporter: C1, flow_direction: 'egress', out_if_name: 'tap-red-2', dst_mac: BROADCAST, dst_addr: '::' }),
    )
    is(row.src, { who: 'red-1', grade: 'mac', evidence: 'network_mac' })
    is(row.dst, { who: 'red-2', grade: 'port', evidence: 'if_name' })
  })

  it('is where the exporter saw it, not where its binding says: it may be migrating', () => {
    const lab = new Lab({ netflow: NETFLOW })
    lab.bridge('c1', 'br-int').ports.push(plug('red-1', 9, 32))
    const row = attributedOne(
      lab.snapshot(),
      netflow({ exporter: C1, in_if: 9, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: 'red-1', host: 'c1', grade: 'port' })
  })

  it('is a subport of a trunk by the VLAN on the trunk bridge, by the address where NetFlow has no VLAN', () => {
    const lab = new Lab({ ipfix: IPFIX })
    lab.cloud.ports.push(port('sub', 'red-2', '192.168.20.50', 'c0', 'trunk:subport', ''))
    lab.cloud.trunks = [
      {
        id: 't',
        name: 't',
        port_id: 'id-red-1',
        sub_ports: [{ port_id: 'id-sub', segmentation_type: 'vlan', segmentation_id: 100 }],
      },
    ]
    lab.bridge('c0', 'br-int').ports.splice(1, 1)
    lab.hosts.c0.bridges.push({
      ...lab.bridge('c0', 'br-tun'),
      name: 'tbr-1',
      ports: [plug('red-1', 7)],
      ipfix: IPFIX,
      netflow: { ...NETFLOW, engineId: 5 },
    })
    const snapshot = lab.snapshot()
    const tagged = attributedOne(
      snapshot,
      ipfix({ in_if_name: 'tap-red-1', vlan: 100, src_addr: '192.168.20.50', dst_addr: '192.168.20.3' }),
    )
    is(tagged.src, { who: 'red-1', network: 'red-2', grade: 'port' })
    assert.equal(tagged.column('src_port'), 'sub')
    assert.equal(tagged.role, 'sent')
    const untagged = attributedOne(snapshot, ipfix({ in_if_name: 'tap-red-1' }))
    assert.equal(untagged.column('src_port'), 'red-1')
    const byAddress = attributedOne(
      snapshot,
      netflow({ in_if: 7, observation_domain: 5, src_addr: '192.168.20.50', dst_addr: '192.168.20.3' }),
    )
    assert.equal(byAddress.column('src_port'), 'sub')
  })

  it('is a port that OVSDB knows before Neutron does, by what its writer noted', () => {
    const lab = new Lab({ ipfix: IPFIX })
    const fresh = plug('fresh', 9, 69)
    lab.bridge('c0', 'br-int').ports.push({
      ...fresh,
      otherConfig: new Map([['net_uuid', 'n-red-1']]),
      interfaces: [
        {
          ...fresh.interfaces[0]!,
          externalIds: new Map([
            ['iface-id', 'id-fresh'],
            ['vm-id', 's-red-3'],
            ['attached-mac', 'fa:16:3e:77:77:77'],
          ]),
        },
      ],
    })
    const row = attributedOne(
      lab.snapshot(),
      ipfix({ in_if_name: 'tap-fresh', src_mac: 'fa:16:3e:77:77:77', src_addr: '::', dst_addr: '::' }),
    )
    is(row.src, { kind: 'server', who: 'red-3', project: 'red', network: 'red-1', grade: 'port' })
    assert.equal(row.column('src_port_id'), 'id-fresh')
    is(row.dst, { who: 'red-2', grade: 'mac' })
  })

  it('is read off the device name where the host has no OVSDB', () => {
    const lab = new Lab()
    const id = '0a1b2c3d-4e5f-4000-8000-000000000001'
    lab.cloud.ports.push({ ...vm('red-9', 'red-1', '192.168.10.19', 'c0'), id })
    const row = attributedOne(
      lab.without('c0'),
      ipfix({ in_if_name: 'tap0a1b2c3d-4e', src_mac: 'fa:16:3e:99:00:01', src_addr: '192.168.10.19' }),
    )
    is(row.src, { who: 's-red-9', grade: 'port', evidence: 'device_name' })
    assert.equal(row.role, 'sent')
  })
})

describe('NetFlow of several bridges with one engine id', () => {
  const lab = new Lab({ netflow: NETFLOW })

  it('is of the port to which the source address belongs', () => {
    lab.bridge('c0', 'br-tun').netflow = NETFLOW
    const row = attributedOne(
      lab.snapshot(),
      netflow({ in_if: 3, src_addr: '192.168.10.10', dst_addr: '192.168.10.8' }),
    )
    // OpenFlow port 3 is a tunnel on br-tun; but its packets would come from n0, for a port here.
    is(row.src, { who: 'red-3', grade: 'port' })
  })

  it('is ambiguous where two ports could both have sent it, and neither is picked', () => {
    const two = new Lab({ netflow: NETFLOW })
    two.hosts.c0.bridges.push({
      ...two.bridge('c0', 'br-int'),
      name: 'br-2',
      ports: [plug('blue-1', 2)],
      netflow: NETFLOW,
    })
    const row = attributedOne(two.snapshot(), netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }))
    is(row.src, { who: '', grade: 'ambiguous', evidence: 'several_matches', candidates: 2 })
    is(row.dst, { who: '', grade: 'unknown', evidence: 'no_network' })
    assert.equal(row.role, 'unattributed')
  })

  it('tells a router leg from a gateway by what each can send', () => {
    const snapshot = lab.snapshot()
    const leg = attributedOne(
      snapshot,
      netflow({ exporter: N0, in_if: 2, src_addr: '172.16.9.9', dst_addr: '192.168.10.8' }),
    )
    assert.equal(leg.column('in_if_name'), 'qr-r1')
    is(leg.dst, { who: 'red-1', grade: 'address' })
    const gateway = attributedOne(
      snapshot,
      netflow({ exporter: N0, in_if: 2, src_addr: '172.16.2.158', dst_addr: '172.16.9.9' }),
    )
    assert.equal(gateway.column('in_if_name'), 'qg-b')
    is(gateway.src, { kind: 'snat', project: 'blue', grade: 'snat' })
    assert.equal(gateway.column('src_router_id'), 'router-blue')
  })

  it('is told apart by engine ids where they are configured', () => {
    const ids = new Lab({ netflow: { ...NETFLOW, engineType: 1, engineId: 1 } })
    ids.bridge('n0', 'br-ex').netflow = { ...NETFLOW, engineType: 1, engineId: 2 }
    const row = attributedOne(
      ids.snapshot(),
      netflow({
        exporter: N0,
        in_if: 2,
        observation_domain: 256 + 2,
        src_addr: '192.168.10.8',
        dst_addr: '192.168.10.9',
      }),
    )
    assert.equal(row.column('in_if_name'), 'qg-b')
  })
})

describe('NetFlow with add_id_to_interface', () => {
  const lab = new Lab({ netflow: { ...NETFLOW, engineId: 130, addIdToInterface: true } })
  const id = (ofport: number) => ((130 & 0x7f) << 9) | (ofport & 0x1ff)

  it('has its interface numbers split from the engine id', () => {
    const row = attributedOne(
      lab.snapshot(),
      netflow({
        in_if: id(2),
        out_if: id(3),
        output_kind: 'interface',
        observation_domain: 130,
        src_addr: '192.168.10.8',
        dst_addr: '192.168.10.10',
      }),
    )
    is(row.src, { who: 'red-1', grade: 'port' })
    assert.deepEqual([row.column('in_if'), row.column('out_if'), row.column('out_if_name')], [2, 3, 'tap-red-3'])
  })

  it('has its special outputs back', () => {
    for (const [value, kind] of [
      [65533, 'none'],
      [65534, 'local'],
      [65535, 'flood'],
    ] as const) {
      const row = attributedOne(
        lab.snapshot(),
        netflow({
          in_if: id(2),
          out_if: id(value),
          observation_domain: 130,
          output_kind: 'interface',
          src_addr: '192.168.10.8',
        }),
      )
      assert.deepEqual([row.column('out_if'), row.column('output_kind')], [value, kind])
    }
  })

  it('finds a port above 511 when only one has these nine bits', () => {
    const big = new Lab({ netflow: { ...NETFLOW, engineId: 130, addIdToInterface: true } })
    big.bridge('c0', 'br-int').ports[1] = plug('red-1', 1500, 69)
    const row = attributedOne(
      big.snapshot(),
      netflow({ in_if: id(1500), observation_domain: 130, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: 'red-1', grade: 'port' })
    assert.equal(row.column('in_if'), 1500)
  })
})

describe('the other end', () => {
  const lab = new Lab({ ipfix: IPFIX, netflow: NETFLOW })
  const snapshot = lab.snapshot()
  const from = (destination: Row) => attributedOne(snapshot, ipfix({ in_if_name: 'tap-red-1', ...destination }))

  it('is the port with that MAC in the network', () => {
    is(from({}).dst, { who: 'red-2', grade: 'mac', evidence: 'network_mac' })
  })

  it('beyond a router is the port with that address in a network the router joins', () => {
    const row = from({ dst_mac: MACS['qr-r1'], dst_addr: '192.168.20.3' })
    is(row.dst, { who: 'red-4', network: 'red-2', grade: 'address', evidence: 'routing_domain_address' })
    assert.equal(row.traffic_class, 'routed')
  })

  it('is the router when it is the router’s own address', () => {
    const row = from({ dst_mac: MACS['qr-r1'], dst_addr: '192.168.10.1' })
    is(row.dst, { kind: 'router', grade: 'router', evidence: 'router_address' })
    assert.equal(row.column('dst_router_id'), 'router-red')
    assert.equal(row.traffic_class, 'infrastructure')
  })

  it('is the server that has the floating IP, and the path leads to it', () => {
    const row = attributedOne(
      snapshot,
      ipfix({ in_if_name: 'tap-blue-1', src_mac: MACS['blue-1'], dst_mac: MACS['qr-b'], dst_addr: '172.16.2.3' }),
    )
    is(row.src, { who: 'blue-1' })
    is(row.dst, { who: 'red-1', project: 'red', grade: 'floating', evidence: 'floating_address' })
    assert.equal(row.traffic_class, 'between_projects')
  })

  it('is a floating IP that nobody has', () => {
    const free = new Lab({ ipfix: IPFIX })
    free.cloud.floatingips.push(floating('172.16.2.99', '', ''))
    const row = attributedOne(
      free.snapshot(),
      ipfix({ in_if_name: 'tap-red-1', dst_mac: MACS['qr-r1'], dst_addr: '172.16.2.99' }),
    )
    is(row.dst, { kind: 'floating', project: 'red', grade: 'floating' })
  })

  it('is the SNAT address of another tenant’s router, of which only the project is known', () => {
    const row = from({ dst_mac: MACS['qr-r1'], dst_addr: '172.16.2.158' })
    is(row.dst, { kind: 'snat', who: 'qg-b', project: 'blue', grade: 'snat' })
  })

  it('is outside when no reachable network has the address and a router leads out', () => {
    const row = from({ dst_mac: MACS['qr-r1'], dst_addr: '8.8.8.8' })
    is(row.dst, { kind: 'external', grade: 'external', evidence: 'outside_address' })
    assert.equal(row.traffic_class, 'north_south_out')
  })

  it('is not known when it is an unused address of the network itself', () => {
    is(from({ dst_mac: OUTSIDE_MAC, dst_addr: '192.168.10.77' }).dst, { kind: 'unknown', evidence: 'no_match' })
  })

  it('is never another tenant’s port that has the address', () => {
    const row = attributedOne(
      snapshot,
      ipfix({ in_if_name: 'tap-blue-1', src_mac: MACS['blue-1'], dst_mac: MACS['qr-b'], dst_addr: '192.168.20.3' }),
    )
    is(row.dst, { kind: 'external', who: '', project: '' })
  })

  it('is not looked for through a shared network that both tenants are routed to', () => {
    const shared = new Lab({ ipfix: IPFIX })
    shared.cloud.networks.push(network('shared', 1099))
    shared.cloud.subnets.push(subnet('shared', '10.99.0.0/24'))
    shared.cloud.ports.push(
      {
        ...port('qr-rs', 'shared', '10.99.0.1', 'n0', 'network:router_interface', 'router-red'),
        mac_address: 'fa:16:3e:98:00:01',
      },
      {
        ...port('qr-bs', 'shared', '10.99.0.2', 'n0', 'network:router_interface', 'router-blue'),
        mac_address: 'fa:16:3e:98:00:02',
      },
    )
    const row = attributedOne(
      shared.snapshot(),
      ipfix({ in_if_name: 'tap-blue-1', src_mac: MACS['blue-1'], dst_mac: MACS['qr-b'], dst_addr: '192.168.20.3' }),
    )
    is(row.dst, { kind: 'external', project: '' })
  })

  it('is DHCP’s port', () => {
    const row = from({ dst_mac: MACS['dhcp-r'], dst_addr: '192.168.10.2' })
    is(row.dst, { kind: 'dhcp', who: 'dhcp-r', grade: 'mac' })
    assert.equal(row.traffic_class, 'infrastructure')
  })

  it('is the metadata service', () => {
    const row = attributedOne(snapshot, netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '169.254.169.254' }))
    is(row.dst, { kind: 'dhcp', grade: 'infrastructure' })
  })

  it('is nobody in particular when it is a broadcast or a multicast', () => {
    for (const row of [
      from({ dst_mac: BROADCAST, dst_addr: '::' }),
      from({ dst_mac: '33:33:00:00:00:01', dst_addr: 'ff02::1' }),
      attributedOne(snapshot, netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.255' })),
      attributedOne(snapshot, netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '224.0.0.5' })),
    ]) {
      is(row.dst, { kind: 'group', evidence: 'group_address', candidates: 0 })
      assert.equal(row.traffic_class, 'same_network')
    }
  })

  it('is ambiguous when several ports may use the address by their allowed pairs', () => {
    const vrrp = new Lab({ netflow: NETFLOW })
    for (const name of ['red-2', 'red-3'])
      vrrp.portOf(name).allowed_address_pairs = [{ ip_address: '192.168.10.100', mac_address: '' }]
    const row = attributedOne(
      vrrp.snapshot(),
      netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.100' }),
    )
    is(row.dst, { who: '', grade: 'ambiguous', candidates: 2 })
    const one = new Lab({ netflow: NETFLOW })
    one.portOf('red-2').allowed_address_pairs = [{ ip_address: '192.168.10.100', mac_address: '' }]
    is(attributedOne(one.snapshot(), netflow({ in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.100' })).dst, {
      who: 'red-2',
      grade: 'address',
    })
  })

  it('of a MAC that two ports have is decided by the address, or ambiguous', () => {
    const twin = new Lab({ ipfix: IPFIX })
    twin.portOf('red-3').mac_address = MACS['red-2']
    is(attributedOne(twin.snapshot(), ipfix({ in_if_name: 'tap-red-1' })).dst, { who: 'red-2', grade: 'address' })
    is(attributedOne(twin.snapshot(), ipfix({ in_if_name: 'tap-red-1', dst_addr: '::' })).dst, {
      who: '',
      grade: 'ambiguous',
      candidates: 2,
    })
  })
})

describe('a packet that comes by a tunnel', () => {
  const tunnels = (protocol: Partial<Lab['hosts']['c0']['bridges'][number]>) => {
    const lab = new Lab()
    Object.assign(lab.bridge('c1', 'br-tun'), protocol)
    return lab
  }

  it('is of the network that its VNI is', () => {
    const lab = tunnels({ ipfix: IPFIX })
    for (const host of ['c0', 'c1'] as const) lab.bridge(host, 'br-int').ipfix = IPFIX
    const snapshot = lab.snapshot()
    const row = attributedOne(
      snapshot,
      ipfix({
        exporter: C1,
        in_if_name: 'vxlan-c0',
        tunnel_type: 'vxlan',
        tunnel_key: 1020,
        src_mac: MACS['blue-1'],
        dst_mac: MACS['blue-2'],
      }),
    )
    is(row.src, { who: 'blue-1', grade: 'mac', host: 'c0' })
    is(row.dst, { who: 'blue-2', grade: 'mac', host: 'c1' })
    assert.equal(row.role, 'transit')
  })

  it('is ambiguous in NetFlow of br-tun when two tenants have both addresses at the two hosts', () => {
    const row = attributedOne(
      tunnels({ netflow: NETFLOW }).snapshot(),
      netflow({ exporter: C1, in_if: 2, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: '', grade: 'ambiguous', candidates: 2 })
    is(row.dst, { who: '', grade: 'ambiguous', candidates: 2 })
    assert.equal(row.role, 'transit')
    assert.equal(row.counts, '0 0 0')
  })

  it('is of the one pair that a network joins', () => {
    const row = attributedOne(
      tunnels({ netflow: NETFLOW }).snapshot(),
      netflow({ exporter: C1, in_if: 2, src_addr: '192.168.10.10', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { who: 'red-3', grade: 'address', evidence: 'host_address_port' })
    is(row.dst, { who: 'red-2', grade: 'address', evidence: 'host_address_port' })
  })

  it('is looked up by MAC under OVN, where the VNI is no segmentation id', () => {
    const lab = tunnels({ sflow: SFLOW })
    lab.hosts.c1.externalIds = new Map([['ovn-encap-ip', '10.0.0.11']])
    const row = attributedOne(
      lab.snapshot(),
      sflow({ exporter: C1, in_if: 0, tunnel_type: 'geneve', tunnel_key: 1020, tunnel_src_addr: C0 }),
    )
    is(row.src, { who: 'red-1' })
    is(row.dst, { who: 'red-2' })
  })

  it('is its outer form on the underlay bridge: the hosts themselves', () => {
    const lab = new Lab()
    lab.hosts.c0.bridges.push({
      ...lab.bridge('c0', 'br-tun'),
      name: 'br-phy',
      ports: [device('eth0', 1)],
      netflow: NETFLOW,
    })
    const row = attributedOne(
      lab.snapshot(),
      netflow({ in_if: 1, src_addr: C1, dst_addr: C0, ip_protocol: 17, dst_l4_port: 4789 }),
    )
    is(row.src, { kind: 'infrastructure', host: 'c1', grade: 'infrastructure', evidence: 'host_address' })
    is(row.dst, { kind: 'infrastructure', host: 'c0' })
    assert.equal(row.traffic_class, 'infrastructure')
    assert.equal(row.role, 'transit')
    assert.equal(row.counts, '0 0 0')
  })
})

describe('outside the networks of tenants', () => {
  const lab = new Lab({ netflow: NETFLOW, ipfix: IPFIX })
  lab.bridge('n0', 'br-int').netflow = undefined

  it('a floating IP is its server, on the way in and out', () => {
    const snapshot = lab.snapshot()
    const inwards = attributedOne(
      snapshot,
      netflow({ exporter: N0, in_if: 3, src_addr: '172.16.0.1', dst_addr: '172.16.2.3' }),
    )
    is(inwards.src, { kind: 'external' })
    is(inwards.dst, { who: 'red-1', grade: 'floating' })
    assert.equal(inwards.traffic_class, 'north_south_in')
    const outwards = attributedOne(
      snapshot,
      netflow({ exporter: N0, in_if: 1, src_addr: '172.16.2.3', dst_addr: '172.16.0.1' }),
    )
    is(outwards.src, { who: 'red-1', grade: 'floating' })
    assert.equal(outwards.traffic_class, 'north_south_out')
  })

  it('a router without SNAT shows the server itself', () => {
    const open = new Lab({ netflow: NETFLOW })
    open.bridge('n0', 'br-int').netflow = undefined
    open.cloud.routers[0] = {
      ...open.cloud.routers[0]!,
      external_gateway_info: { network_id: 'n-ext', enable_snat: false, external_fixed_ips: [] },
    }
    const row = attributedOne(
      open.snapshot(),
      netflow({ exporter: N0, in_if: 1, src_addr: '192.168.20.3', dst_addr: '8.8.8.8' }),
    )
    is(row.src, { who: 'red-4', grade: 'address', evidence: 'routing_domain_address' })
  })
})

describe('a mirrored frame', () => {
  const lab = new Lab()
  addMirror(lab.bridge('c0', 'br-int'), { selectSource: ['tap-red-1'], selectDestination: ['tap-red-1'] })

  it('is of the network that its local VLAN is on that host', () => {
    const row = attributedOne(lab.snapshot(), mirror({ vlan: 69 }))
    is(row.src, { who: 'red-1', grade: 'port', evidence: 'mirror_port' })
    is(row.dst, { who: 'red-2', grade: 'mac', evidence: 'network_mac' })
    assert.equal(row.column('bridge'), 'br-int')
  })

  it('is of the mirrored port’s network when the mirror port strips the tag', () => {
    is(attributedOne(lab.snapshot(), mirror({ vlan: 0 })).dst, { who: 'red-2', grade: 'mac' })
  })

  it('that the one mirrored port did not send, it received, also when it was broadcast', () => {
    const row = attributedOne(
      lab.snapshot(),
      mirror({ vlan: 69, src_mac: MACS['red-2'], src_addr: '192.168.10.9', dst_mac: BROADCAST, dst_addr: '::' }),
    )
    is(row.src, { who: 'red-2', grade: 'mac' })
    is(row.dst, { who: 'red-1', grade: 'port', evidence: 'mirror_port' })
  })

  it('is of the mirror whose key it has', () => {
    const keyed = new Lab()
    addMirror(keyed.bridge('c0', 'br-int'), { selectDestination: ['tap-red-1'] }, '7')
    addMirror(keyed.bridge('c0', 'br-int'), { selectDestination: ['tap-red-3'] }, '8')
    const row = attributedOne(
      keyed.snapshot(),
      mirror({ observation_point: 8, vlan: 69, src_mac: MACS['red-2'], dst_mac: BROADCAST, dst_addr: '::' }),
    )
    is(row.dst, { who: 'red-3', evidence: 'mirror_port' })
  })

  it('is known by the MACs of that host’s ports where its OVSDB is not known', () => {
    const row = attributedOne(lab.without('c0'), mirror({ vlan: 69 }))
    is(row.src, { who: 'red-1', grade: 'mac', evidence: 'host_mac' })
    is(row.dst, { who: 'red-2', grade: 'mac' })
    assert.equal(row.role, 'sent')
  })
})

describe('what cannot be known', () => {
  it('says that there is no model', () => {
    const row = attributedOne(new Lab().without('c0', 'c1', 'n0'), netflow({ exporter: '10.3.3.3', in_if: 2 }))
    is(row.src, { grade: 'unknown', evidence: 'no_host' })
  })

  it('says that the interface is not known', () => {
    const row = attributedOne(
      new Lab({ netflow: NETFLOW }).snapshot(),
      netflow({ in_if: 99, src_addr: '192.168.10.8', dst_addr: '192.168.10.9' }),
    )
    is(row.src, { grade: 'unknown', evidence: 'no_interface' })
    is(row.dst, { grade: 'unknown', evidence: 'no_interface' })
    assert.equal(row.role, 'unattributed')
    assert.equal(row.counts, '0 0 1')
  })

  it('is asked of the MAC where an interface without ifIndex (a router’s, in its namespace) is not told', () => {
    const row = attributedOne(
      new Lab({ sflow: SFLOW }).snapshot(),
      sflow({ exporter: N0, in_if: 0, src_mac: MACS['qr-r2'], dst_mac: MACS['red-4'], dst_addr: '192.168.20.3' }),
    )
    is(row.src, { who: 'red-1', grade: 'address', evidence: 'routing_domain_address' })
    is(row.dst, { who: 'red-4', grade: 'mac' })
  })
})
