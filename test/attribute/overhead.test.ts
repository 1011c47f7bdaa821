import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CORRECTIONS } from '../../src/schema/enums.ts'
import { addMirror, floating, Lab, NETFLOW, tunnel } from './lab.ts'
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

  describe('and a mirror into a tunnel', () => {
    const HERE = { dst_addr: '192.168.10.10' }
    const without = (bytes: number) => [10_000 - bytes * 9, 9_860 - bytes * 9, true]
    const mirrored = (mirror: Parameters<typeof addMirror>[1], key = '') => {
      const lab = new Lab({ netflow: NETFLOW })
      addMirror(lab.bridge('c0', 'br-int'), mirror, key)
      return lab
    }

    it('loses the header of the copy, 38 bytes for GRE and 42 with a key, whether the port sent or received it', () => {
      assert.deepEqual(lengths(mirrored({ selectSource: ['tap-red-1'] }), flow(HERE)), [without(38)])
      assert.deepEqual(lengths(mirrored({ selectDestination: ['tap-red-3'] }, '7'), flow(HERE)), [without(42)])
    })

    it('loses both headers of what left by a tunnel besides', () => {
      assert.deepEqual(lengths(mirrored({ selectSource: ['tap-red-1'] }), flow({})), [without(38 + OUTER)])
    })

    it('loses one header where the port that sent and the one that received are selected', () => {
      const both = { selectSource: ['tap-red-1'], selectDestination: ['tap-red-3'] }
      assert.deepEqual(lengths(mirrored(both), flow(HERE)), [without(38)])
    })

    it('loses one header an output, however many mirrors lead to it', () => {
      const lab = mirrored({ selectSource: ['tap-red-1'] })
      const { mirrors } = lab.bridge('c0', 'br-int')
      mirrors.push({ ...mirrors[0]!, name: 'again', selectSource: [], selectDestination: ['tap-red-3'] })
      assert.deepEqual(lengths(lab, flow(HERE)), [without(38)])
      addMirror(lab.bridge('c0', 'br-int'), { selectDestination: ['tap-red-3'] }, '9')
      assert.deepEqual(lengths(lab, flow(HERE)), [without(38 + 42)])
    })

    it('loses it on what comes in by a tunnel for a mirrored port', () => {
      const lab = mirrored({ selectDestination: ['tap-red-1'] })
      lab.bridge('c0', 'br-tun').netflow = { ...NETFLOW, engineId: 9 }
      lab.bridge('c0', 'br-int').netflow = { ...NETFLOW, engineId: 8 }
      const row = flow({ in_if: 2, src_addr: '192.168.10.9', dst_addr: '192.168.10.8', observation_domain: 9 })
      // Blue has the same addresses on the same two hosts: whose packet it was is not known.
      assert.deepEqual(lengths(lab, row), [AS_IT_CAME])
      lab.cloud.ports = lab.cloud.ports.filter(({ name }) => !name.startsWith('blue'))
      assert.deepEqual(lengths(lab, row), [without(38)])
    })

    it('keeps what neither entered nor left by the mirrored port, and what a router takes on its way there', () => {
      assert.deepEqual(lengths(mirrored({ selectSource: ['tap-blue-1'] }), flow(HERE)), [AS_IT_CAME])
      const lab = mirrored({ selectDestination: ['tap-red-3'] })
      lab.cloud.floatingips.push(floating('172.16.2.4', 'red-3', '192.168.10.10'))
      assert.deepEqual(lengths(lab, flow({ dst_addr: '172.16.2.4' })), [WITHOUT(9)])
    })

    it('knows the headers of GRE with checksum and sequence, ERSPAN, VXLAN, and tunnels over IPv6', () => {
      const header = (type: string, options: Record<string, string>) => {
        const lab = mirrored({ selectSource: ['tap-red-1'] })
        const output = lab.bridge('c0', 'br-int').ports.find(({ name }) => name === 'gre0')!
        Object.assign(output.interfaces[0]!, {
          type,
          options: new Map(Object.entries({ remote_ip: '10.0.0.99', ...options })),
        })
        return (10_000 - Number(lengths(lab, flow(HERE))[0]![0])) / 9
      }
      assert.equal(header('gre', { csum: 'true', seq: 'true', out_key: '5' }), 50)
      assert.equal(header('gre', { remote_ip: '2001:db8::9' }), 58)
      assert.equal(header('erspan', { key: '5', erspan_ver: '1' }), 50)
      assert.equal(header('erspan', { key: '5', erspan_ver: '2' }), 54)
      assert.equal(header('vxlan', { key: '5' }), 50)
    })
  })
})
