/** How records count: every byte once, whatever is exported where. docs/counting.md is the contract. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_PRECEDENCE } from '../../src/attribute/precedence.ts'
import { OPTIONS } from '../../src/config/options.ts'
import { SOURCE_NAMES } from '../../src/config/types.ts'
import {
  addMirror,
  BROADCAST,
  IPFIX,
  Lab,
  MACS,
  NETFLOW,
  OUTSIDE_MAC,
  SFLOW,
  type Exports,
  type HostName,
} from './lab.ts'
import { attributed, attributedOne, type Row } from './rows.ts'

const ADDRESS = { c0: '10.0.0.10', c1: '10.0.0.11', n0: '10.0.0.20' } as const

/** The two addresses and MACs of a packet on one of its legs. */
const R1_TO_R2: Row = {
  src_addr: '192.168.10.8',
  dst_addr: '192.168.10.9',
  src_mac: MACS['red-1'],
  dst_mac: MACS['red-2'],
}
const OUTSIDE_TO_R1: Row = {
  src_addr: '172.16.9.9',
  dst_addr: '192.168.10.8',
  src_mac: MACS['qr-r1'],
  dst_mac: MACS['red-1'],
}
const R1_TO_R4: Row = { ...R1_TO_R2, dst_addr: '192.168.20.3', dst_mac: MACS['qr-r1'] }
const R1_TO_R4_LEG: Row = { ...R1_TO_R4, src_mac: MACS['qr-r2'], dst_mac: MACS['red-4'] }

const at = (host: HostName, row: Row): Row => ({ exporter: ADDRESS[host], flow_direction: 'ingress', ...row })
const noMacs = (row: Row): Row => ({ ...row, src_mac: '00:00:00:00:00:00', dst_mac: '00:00:00:00:00:00' })
const netflow = (host: HostName, ofport: number, row: Row): Row =>
  at(host, { export_protocol: 'netflow5', in_if: ofport, ...noMacs(row) })
const sflow = (host: HostName, ofport: number, row: Row): Row =>
  at(host, { export_protocol: 'sflow5', in_if: 100 + ofport, ...row })
const entering = (host: HostName, device: string, row: Row): Row =>
  at(host, { export_protocol: 'ipfix', in_if_name: device, ...row })
const leaving = (host: HostName, device: string, row: Row): Row =>
  at(host, { export_protocol: 'ipfix', ...row, out_if_name: device, flow_direction: 'egress' })
const mirrored = (host: HostName, vlan: number, row: Row): Row =>
  at(host, { export_protocol: 'gre', vlan, ...row, flow_direction: 'unknown' })

/** Role and flags of each row, in one line each. */
function counts(lab: Lab, rows: Row[], precedence?: ('ipfix' | 'netflow' | 'sflow' | 'mirror')[]): string[] {
  const options = precedence === undefined ? {} : { precedence }
  return attributed(lab.snapshot(), rows, options).map((row) => `${row.role} ${row.counts}`)
}

const SENT = 'sent 1 0 1'
const SENT_FOR_BOTH = 'sent 1 1 1'
const RECEIVED = 'received 0 1 0'
const RECEIVED_FROM_ELSEWHERE = 'received 0 1 1'
const TRANSIT = 'transit 0 0 0'
const ECHO = 'mirror_echo 0 0 0'
const DUPLICATE = 'duplicate 0 0 0'

describe('IPFIX, which reports what leaves', () => {
  it('counts a packet as sent where it entered and as received where it left, and once', () => {
    assert.deepEqual(
      counts(new Lab({ ipfix: IPFIX }), [entering('c0', 'tap-red-1', R1_TO_R2), leaving('c1', 'tap-red-2', R1_TO_R2)]),
      [SENT, RECEIVED],
    )
  })

  it('counts what comes from outside once, where it was received', () => {
    assert.deepEqual(
      counts(new Lab({ ipfix: IPFIX }), [
        entering('n0', 'eth1', {
          ...OUTSIDE_TO_R1,
          dst_addr: '172.16.2.3',
          src_mac: OUTSIDE_MAC,
          dst_mac: MACS['qg-r'],
        }),
        leaving('n0', 'qg-r', {
          ...OUTSIDE_TO_R1,
          dst_addr: '172.16.2.3',
          src_mac: OUTSIDE_MAC,
          dst_mac: MACS['qg-r'],
        }),
        entering('n0', 'qr-r1', OUTSIDE_TO_R1),
        leaving('c0', 'tap-red-1', OUTSIDE_TO_R1),
      ]),
      [TRANSIT, TRANSIT, TRANSIT, RECEIVED_FROM_ELSEWHERE],
    )
  })

  it('counts a routed packet at its first and last port, its legs nowhere', () => {
    assert.deepEqual(
      counts(new Lab({ ipfix: IPFIX }), [
        entering('c0', 'tap-red-1', R1_TO_R4),
        leaving('n0', 'qr-r1', R1_TO_R4),
        entering('n0', 'qr-r2', R1_TO_R4_LEG),
        leaving('c1', 'tap-red-4', R1_TO_R4_LEG),
      ]),
      [SENT, TRANSIT, TRANSIT, RECEIVED],
    )
  })

  it('counts a broadcast once as sent, and at each receiver as received', () => {
    const broadcast = { ...R1_TO_R2, dst_mac: BROADCAST, dst_addr: '192.168.10.255' }
    assert.deepEqual(
      counts(new Lab({ ipfix: IPFIX }), [
        entering('c0', 'tap-red-1', broadcast),
        leaving('c0', 'tap-red-3', broadcast),
        leaving('c1', 'tap-red-2', broadcast),
      ]),
      [SENT, RECEIVED, RECEIVED],
    )
  })

  it('does not count the copy on its way to a mirror port', () => {
    const lab = new Lab({ ipfix: IPFIX })
    addMirror(lab.bridge('c0', 'br-int'), { selectSource: ['tap-red-1'] })
    assert.deepEqual(
      counts(lab, [entering('c0', 'tap-red-1', R1_TO_R2), leaving('c0', 'gre0', { ...R1_TO_R2, vlan: 69 })]),
      [SENT, ECHO],
    )
  })

  it('counts as received at the sender where the receiver’s bridge reports nothing, or not what leaves', () => {
    const lab = new Lab({ ipfix: IPFIX })
    lab.bridge('c1', 'br-int').ipfix = { ...IPFIX, outputSampling: false }
    assert.deepEqual(counts(lab, [entering('c0', 'tap-red-1', R1_TO_R2)]), [SENT_FOR_BOTH])
    lab.bridge('c1', 'br-int').ipfix = undefined
    assert.deepEqual(counts(lab, [entering('c0', 'tap-red-1', R1_TO_R2)]), [SENT_FOR_BOTH])
  })

  it('counts what a sender nobody reports sent, where it was received', () => {
    const lab = new Lab({ ipfix: IPFIX })
    lab.bridge('c0', 'br-int').ipfix = undefined
    assert.deepEqual(counts(lab, [leaving('c1', 'tap-red-2', R1_TO_R2)]), [RECEIVED_FROM_ELSEWHERE])
  })
})

describe('NetFlow and sFlow, which report only what enters', () => {
  for (const [name, exports, record] of [
    ['NetFlow', { netflow: NETFLOW }, netflow],
    ['sFlow', { sflow: SFLOW }, sflow],
  ] as const) {
    it(`${name}: count a packet for both ends where it was sent`, () => {
      assert.deepEqual(counts(new Lab(exports), [record('c0', 2, R1_TO_R2)]), [SENT_FOR_BOTH])
    })

    it(`${name}: count what comes from outside at the router’s port on the server’s network`, () => {
      assert.deepEqual(
        counts(new Lab(exports), [
          record('n0', 3, {
            in_if: name === 'sFlow' ? 203 : 3,
            ...OUTSIDE_TO_R1,
            dst_addr: '172.16.2.3',
            src_mac: OUTSIDE_MAC,
            dst_mac: MACS['qg-r'],
          }),
          record('n0', 2, OUTSIDE_TO_R1),
        ]),
        [TRANSIT, RECEIVED_FROM_ELSEWHERE],
      )
    })

    it(`${name}: count a routed packet where it was sent, not on its legs`, () => {
      assert.deepEqual(counts(new Lab(exports), [record('c0', 2, R1_TO_R4), record('n0', 3, R1_TO_R4_LEG)]), [
        SENT_FOR_BOTH,
        TRANSIT,
      ])
    })

    it(`${name}: count the last leg of what a host that exports nothing sent`, () => {
      const lab = new Lab(exports)
      Object.assign(lab.bridge('c0', 'br-int'), { netflow: undefined, sflow: undefined })
      assert.deepEqual(counts(lab, [record('n0', 3, R1_TO_R4_LEG)]), [RECEIVED_FROM_ELSEWHERE])
    })

    it(`${name}: what DHCP sends is counted where it enters`, () => {
      const row = { ...R1_TO_R2, src_addr: '192.168.10.2', src_mac: MACS['dhcp-r'] }
      assert.deepEqual(counts(new Lab(exports), [record('n0', 5, row)]), [RECEIVED_FROM_ELSEWHERE])
    })
  }

  it('another vantage point changes nothing: br-tun of both hosts exports too', () => {
    const exports: Exports = { sflow: SFLOW }
    const lab = new Lab(exports)
    for (const host of ['c0', 'c1', 'n0'] as const) lab.bridge(host, 'br-tun').sflow = SFLOW
    const tunnelled = (host: HostName, row: Row) =>
      at(host, { export_protocol: 'sflow5', tunnel_type: 'vxlan', ...row })
    assert.deepEqual(
      counts(lab, [
        sflow('c0', 2, R1_TO_R2),
        tunnelled('c1', { ...R1_TO_R2, tunnel_key: 1010 }),
        sflow('n0', 2, OUTSIDE_TO_R1),
        tunnelled('c0', { ...OUTSIDE_TO_R1, tunnel_key: 1010 }),
      ]),
      [SENT_FOR_BOTH, TRANSIT, RECEIVED_FROM_ELSEWHERE, TRANSIT],
    )
  })

  it('what comes from outside is counted on its way in by the tunnel where no router’s port is reported', () => {
    const lab = new Lab({ netflow: NETFLOW })
    Object.assign(lab.bridge('n0', 'br-int'), { netflow: undefined })
    lab.bridge('c0', 'br-tun').netflow = { ...NETFLOW, engineId: 9 }
    lab.bridge('c0', 'br-int').netflow = { ...NETFLOW, engineId: 8 }
    const row = netflow('c0', 3, { ...OUTSIDE_TO_R1, dst_addr: '192.168.10.10', observation_domain: 9 })
    assert.deepEqual(counts(lab, [row]), [RECEIVED_FROM_ELSEWHERE])
  })

  it('two bridges under one engine id: the router’s leg is one where no tunnel can bring the source', () => {
    const lab = new Lab({ netflow: NETFLOW })
    for (const host of ['c0', 'c1', 'n0'] as const) lab.bridge(host, 'br-tun').netflow = NETFLOW
    // Port 2 of n0 is qr-r1 on br-int, and the tunnel to c0 on br-tun; c0 has no port with that address, and no router.
    assert.deepEqual(counts(lab, [netflow('n0', 2, OUTSIDE_TO_R1)]), [RECEIVED_FROM_ELSEWHERE])
    // Port 2 and 3 of c0 are taps, and tunnels.
    const here = { ...R1_TO_R2, dst_addr: '192.168.10.10' }
    assert.deepEqual(counts(lab, [netflow('c0', 2, here)]), [SENT_FOR_BOTH])
    // From a server of c0 to one beyond the router: it may be the tunnel’s, and counts nowhere.
    assert.deepEqual(counts(lab, [netflow('n0', 2, { ...R1_TO_R4, dst_addr: '8.8.8.8' })]), [TRANSIT])
  })

  it('floating IPs on both sides: the sender’s record counts for both, the last leg not again', () => {
    const lab = new Lab({ netflow: NETFLOW })
    const toFloating = { ...R1_TO_R2, src_addr: '192.168.10.8', dst_addr: '172.16.2.3' }
    assert.deepEqual(
      counts(lab, [
        netflow('c0', 4, toFloating),
        // The router translates blue’s source to its SNAT address; all of blue’s servers are reported.
        netflow('n0', 2, { ...OUTSIDE_TO_R1, src_addr: '172.16.2.158' }),
      ]),
      [SENT_FOR_BOTH, TRANSIT],
    )
  })
})

describe('mirrors', () => {
  const both = (...names: string[]) => ({ selectSource: names, selectDestination: names })

  it('of one port: count what it sent and what it received', () => {
    const lab = new Lab()
    addMirror(lab.bridge('c0', 'br-int'), both('tap-red-1'))
    const back = {
      ...R1_TO_R2,
      src_mac: MACS['red-2'],
      dst_mac: MACS['red-1'],
      src_addr: '192.168.10.9',
      dst_addr: '192.168.10.8',
    }
    assert.deepEqual(counts(lab, [mirrored('c0', 69, R1_TO_R2), mirrored('c0', 69, back)]), [
      SENT_FOR_BOTH,
      RECEIVED_FROM_ELSEWHERE,
    ])
  })

  it('of both ports on one host: its one copy counts for both', () => {
    const lab = new Lab()
    addMirror(lab.bridge('c0', 'br-int'), both('tap-red-1', 'tap-red-3'))
    const row = { ...R1_TO_R2, dst_mac: MACS['red-3'], dst_addr: '192.168.10.10' }
    assert.deepEqual(counts(lab, [mirrored('c0', 69, row)]), [SENT_FOR_BOTH])
  })

  it('on both hosts: one copy counts for the sender, the other for the receiver', () => {
    const lab = new Lab()
    addMirror(lab.bridge('c0', 'br-int'), both('tap-red-1'))
    addMirror(lab.bridge('c1', 'br-int'), both('tap-red-2'))
    assert.deepEqual(counts(lab, [mirrored('c0', 69, R1_TO_R2), mirrored('c1', 32, R1_TO_R2)]), [SENT, RECEIVED])
  })

  it('of a port that a better source reports are duplicates', () => {
    const lab = new Lab({ netflow: NETFLOW })
    addMirror(lab.bridge('c0', 'br-int'), both('tap-red-1'))
    assert.deepEqual(counts(lab, [mirrored('c0', 69, R1_TO_R2)]), [DUPLICATE])
  })
})

describe('several sources on one bridge', () => {
  const all: Exports = { ipfix: IPFIX, netflow: NETFLOW, sflow: SFLOW }
  const rows = [
    entering('c0', 'tap-red-1', R1_TO_R2),
    leaving('c1', 'tap-red-2', R1_TO_R2),
    netflow('c0', 2, R1_TO_R2),
    sflow('c0', 2, R1_TO_R2),
    netflow('n0', 2, OUTSIDE_TO_R1),
    leaving('c0', 'tap-red-1', OUTSIDE_TO_R1),
  ]

  it('the first in precedence counts, the others are duplicates', () => {
    assert.deepEqual(counts(new Lab(all), rows), [
      SENT,
      RECEIVED,
      DUPLICATE,
      DUPLICATE,
      TRANSIT,
      RECEIVED_FROM_ELSEWHERE,
    ])
  })

  it('the names and their order are those of the option', () => {
    assert.deepEqual(SOURCE_NAMES, DEFAULT_PRECEDENCE)
    assert.deepEqual(OPTIONS.precedence.default, DEFAULT_PRECEDENCE)
  })

  it('the order may be chosen', () => {
    assert.deepEqual(counts(new Lab(all), rows, ['netflow']), [
      DUPLICATE,
      DUPLICATE,
      SENT_FOR_BOTH,
      DUPLICATE,
      RECEIVED_FROM_ELSEWHERE,
      DUPLICATE,
    ])
  })
})

describe('hosts whose OVSDB is not known', () => {
  it('are taken to report what they were seen to report', () => {
    const lab = new Lab()
    const id = '0a1b2c3d-4e5f-4000-8000-000000000001'
    const other = 'aa1b2c3d-4e5f-4000-8000-000000000002'
    Object.assign(lab.portOf('red-1'), { id })
    Object.assign(lab.portOf('red-2'), { id: other })
    const sent = entering('c0', 'tap0a1b2c3d-4e', R1_TO_R2)
    const received = leaving('c1', 'tapaa1b2c3d-4e', R1_TO_R2)
    const roles = attributed(lab.without('c0', 'c1'), [sent, received, sent]).map((row) => `${row.role} ${row.counts}`)
    // Before c1 has been heard its egress is not known; from then on it is.
    assert.deepEqual(roles, [SENT_FOR_BOTH, RECEIVED, SENT])
  })
})

describe('without a model', () => {
  it('everything counts once, but what only repeats it where it left', () => {
    const snapshot = new Lab().without('c0', 'c1', 'n0')
    const stranger: Row = { exporter: '10.9.9.9', ...R1_TO_R2, export_protocol: 'ipfix' }
    const rows = [
      { ...stranger, flow_direction: 'ingress' },
      { ...stranger, flow_direction: 'egress' },
    ]
    assert.deepEqual(
      attributed(snapshot, rows).map((row) => `${row.role} ${row.counts}`),
      ['unattributed 0 0 1', 'unattributed 0 0 0'],
    )
  })
})

describe('the sender of a record that nothing places', () => {
  it('is known by its MAC on that host', () => {
    const row = attributedOne(new Lab({ sflow: SFLOW }).snapshot(), sflow('c0', 900, R1_TO_R2))
    assert.equal(`${row.role} ${row.counts}`, SENT_FOR_BOTH)
    assert.equal(row.src.evidence, 'host_mac')
  })
})
