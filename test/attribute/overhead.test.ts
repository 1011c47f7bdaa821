import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CORRECTIONS } from '../../src/schema/enums.ts'
import { floating, Lab, NETFLOW, tunnel } from './lab.ts'
import { attributed, type Row } from './rows.ts'

/** VXLAN over IPv4. */
const OUTER = 50

const flow = (row: Row): Row => ({
  export_protocol: 'netflow5',
  exporter: '10.0.0.10',
  flow_direction: 'ingress',
  in_if: 2,
  src_addr: '192.168.10.8',
  dst_addr: '192.168.10.9',
  ip_protocol: 6,
  src_l4_port: 40_000,
  dst_l4_port: 80,
  flow_start: 1_000_000,
  flow_end: 1_005_000,
  packets: 10,
  l2_bytes: 10_000,
  bytes: 9_860,
  ...row,
})
const lengths = (lab: Lab, ...rows: Row[]) =>
  attributed(lab.snapshot(), rows).map((row) => [
    Number(row.column('l2_bytes')),
    Number(row.column('bytes')),
    Number(row.column('corrections')) === CORRECTIONS.tunnel_overhead.bit,
  ])
const WITHOUT = (packets: number) => [10_000 - OUTER * packets, 9_860 - OUTER * packets, true]
const AS_IT_CAME = [10_000, 9_860, false]

describe('NetFlow of a userspace datapath', () => {
  it('loses the outer header of what left by a tunnel, but for the packet that set the flow up', () => {
    assert.deepEqual(lengths(new Lab({ netflow: NETFLOW }), flow({})), [WITHOUT(9)])
  })

  it('loses it on all packets of a flow that goes on, also when only its output has changed', () => {
    const later = { flow_start: 1_006_000, flow_end: 1_010_000 }
    assert.deepEqual(lengths(new Lab({ netflow: NETFLOW }), flow({}), flow(later)), [WITHOUT(9), WITHOUT(10)])
  })

  it('keeps one packet again when the flow was idle for so long that it had to be set up again', () => {
    const later = { flow_start: 1_100_000, flow_end: 1_110_000 }
    assert.deepEqual(lengths(new Lab({ netflow: NETFLOW }), flow({}), flow(later)), [WITHOUT(9), WITHOUT(9)])
  })

  it('loses it on the way to a router on another host', () => {
    for (const destination of ['192.168.20.3', '8.8.8.8', '192.168.10.1'])
      assert.deepEqual(
        lengths(new Lab({ netflow: NETFLOW }), flow({ dst_addr: destination })),
        [WITHOUT(9)],
        destination,
      )
  })

  it('loses it on a router’s leg to a server on another host', () => {
    const leg = flow({ exporter: '10.0.0.20', src_addr: '8.8.8.8', dst_addr: '192.168.10.8' })
    assert.deepEqual(lengths(new Lab({ netflow: NETFLOW }), leg), [WITHOUT(9)])
  })

  it('loses it on the way to a floating IP, also of a server of the same network', () => {
    const lab = new Lab({ netflow: NETFLOW })
    lab.cloud.floatingips.push(floating('172.16.2.4', 'red-3', '192.168.10.10'))
    assert.deepEqual(lengths(lab, flow({ dst_addr: '172.16.2.4' })), [WITHOUT(9)])
  })

  it('loses it where a flow-based tunnel leads to every host', () => {
    const lab = new Lab({ netflow: NETFLOW })
    const tunnels = lab.bridge('c0', 'br-tun')
    tunnels.ports = tunnels.ports.filter((port) => !port.name.startsWith('vxlan'))
    tunnels.ports.push(tunnel('ovn-geneve', 9, '10.0.0.10', 'flow'))
    assert.deepEqual(lengths(lab, flow({})), [WITHOUT(9)])
  })

  it('keeps what stays on the host', () => {
    assert.deepEqual(lengths(new Lab({ netflow: NETFLOW }), flow({ dst_addr: '192.168.10.10' })), [AS_IT_CAME])
  })

  it('keeps what goes to a router on the same host', () => {
    const lab = new Lab({ netflow: NETFLOW })
    const moved = lab.bridge('n0', 'br-int').ports.filter((port) => port.name.startsWith('qr-r'))
    lab.bridge('c0', 'br-int').ports.push(
      ...moved.map((port, i) => ({
        ...port,
        interfaces: port.interfaces.map((item) => ({ ...item, ofport: 20 + i })),
      })),
    )
    for (const name of ['qr-r1', 'qr-r2']) lab.portOf(name)['binding:host_id'] = 'c0'
    lab.hosts.n0.bridges[0]!.ports = lab.hosts.n0.bridges[0]!.ports.filter((port) => !port.name.startsWith('qr-r'))
    assert.deepEqual(lengths(lab, flow({ dst_addr: '192.168.20.3' })), [AS_IT_CAME])
  })

  it('keeps what is broadcast, not known, or on a network without tunnels', () => {
    const lab = new Lab({ netflow: NETFLOW })
    assert.deepEqual(lengths(lab, flow({ dst_addr: '192.168.10.255' })), [AS_IT_CAME])
    assert.deepEqual(lengths(lab, flow({ dst_addr: '192.168.10.200' })), [AS_IT_CAME])
    lab.cloud.networks[0] = { ...lab.cloud.networks[0]!, 'provider:network_type': 'vlan' }
    assert.deepEqual(lengths(lab, flow({})), [AS_IT_CAME])
  })

  it('keeps what is of a kernel datapath', () => {
    const lab = new Lab({ netflow: NETFLOW })
    lab.bridge('c0', 'br-int').datapathType = ''
    assert.deepEqual(lengths(lab, flow({})), [AS_IT_CAME])
  })

  it('is not made shorter than its packets can be', () => {
    const short = flow({ packets: 10, l2_bytes: 540, bytes: 400 })
    assert.deepEqual(lengths(new Lab({ netflow: NETFLOW }), short), [[540, 400, false]])
  })
})
