/** The captures of a real lab, beside what the interfaces of its VMs counted (pcaps/README.md). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { getU64 } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { decodeCapture } from './decoded.ts'
import { rowOf, seen } from './rows.ts'
import { counterOf, onceBetween, projectBytes, trafficOf, truthOf } from './truth.ts'

const CAPTURES = ['ipfix', 'netflow5', 'sflow5', 'gre-mirror'] as const

const batches = new Map<string, FlowBatch>()
for (const capture of CAPTURES) {
  const batch = await decodeCapture(`${PCAPS}${capture}/capture.pcap`)
  const { cloud } = await loadIdentityFile(`${PCAPS}${capture}/identity.yaml`)
  new Attributor().attribute(batch, buildSnapshot(cloud, 0))
  batches.set(capture, batch)
}
const batchOf = (capture: (typeof CAPTURES)[number]) => batches.get(capture)!

describe('what the interfaces of the VMs counted', () => {
  it('IPFIX: is what every VM sent and received, to the byte and packet', () => {
    assert.deepEqual(Object.fromEntries(trafficOf(batchOf('ipfix'))), Object.fromEntries(truthOf('ipfix')))
  })

  it('a mirror of one port: is what that VM sent and received, to the byte and packet', () => {
    assert.deepEqual(trafficOf(batchOf('gre-mirror')).get('red-1'), truthOf('gre-mirror').get('red-1'))
  })

  it('NetFlow: is what every VM sent and received, but for 42 bytes of each packet that is not IP', () => {
    const found = trafficOf(batchOf('netflow5'))
    const truth = truthOf('netflow5')
    assert.deepEqual([...found.keys()].sort(), [...truth.keys()].sort())
    for (const [server, counted] of truth) {
      const flows = found.get(server)!
      // NetFlow of OVS is IPv4 only; what is missing here is ARP, 42 bytes a frame.
      assert.equal(counted.sent - flows.sent, 42 * (counted.sentPackets - flows.sentPackets), `${server} sent`)
      assert.equal(counted.received - flows.received, 42 * (counted.receivedPackets - flows.receivedPackets), server)
      if (counted.sent > 30_000) assert.ok(1 - flows.sent / counted.sent < 0.01, `${server} sent`)
      if (counted.received > 30_000) assert.ok(1 - flows.received / counted.received < 0.01, `${server} received`)
    }
  })

  it('sFlow: is what every VM sent and received, within four standard errors by its own variances', () => {
    const { columns: c, rows } = batchOf('sflow5')
    const found = trafficOf(batchOf('sflow5'))
    const variance = new Map<string, { sent: number; received: number }>()
    for (let row = 0; row < rows; row++) {
      const { src, dst } = seen(batchOf('sflow5'), row)
      const of = (server: string) => variance.get(server) ?? { sent: 0, received: 0 }
      const l2 = c.l2_bytes_variance[row]!
      if (c.counts_sent[row] === 1) variance.set(src.who, { ...of(src.who), sent: of(src.who).sent + l2 })
      if (c.counts_received[row] === 1) variance.set(dst.who, { ...of(dst.who), received: of(dst.who).received + l2 })
    }
    for (const [server, counted] of truthOf('sflow5')) {
      const flows = found.get(server)!
      const error = variance.get(server)!
      assert.ok(Math.abs(flows.sent - counted.sent) < 4 * Math.sqrt(error.sent), `${server} sent`)
      assert.ok(Math.abs(flows.received - counted.received) < 4 * Math.sqrt(error.received), `${server} received`)
      // A variance that is much too large would let everything pass.
      assert.ok(4 * Math.sqrt(error.sent) < Math.max(3 * counted.sent, 15_000), `${server} sent, variance`)
    }
  })
})

describe('tenants with the same addresses', () => {
  // The MAC of a VM is an outside oracle: attribution of these frames mostly goes by interface and address.
  const PROJECT_OF_MAC = new Map([
    ['fa:16:3e:21:cf:75', 'red'],
    ['fa:16:3e:21:cf:77', 'red'],
    ['fa:16:3e:fd:7f:88', 'red'],
    ['fa:16:3e:e4:71:f4', 'red'],
    ['fa:16:3e:aa:00:08', 'blue'],
    ['fa:16:3e:aa:00:09', 'blue'],
  ])
  const macText = (column: Uint32Array, row: number) =>
    getU64(column, row)
      .toString(16)
      .padStart(12, '0')
      .replaceAll(/(..)(?!$)/g, '$1:')

  for (const capture of CAPTURES) {
    it(`${capture}: no row of one is labelled as the other’s`, () => {
      const batch = batchOf(capture)
      let told = 0
      for (let row = 0; row < batch.rows; row++) {
        const { src, dst } = seen(batch, row)
        // The two tenants did not talk to each other in any run.
        const projects = new Set([src.project, dst.project].filter((name) => name !== ''))
        assert.equal(projects.size, 1, JSON.stringify(rowOf(batch, row)))
        for (const [end, column] of [
          [src, batch.columns.src_mac],
          [dst, batch.columns.dst_mac],
        ] as const) {
          const project = PROJECT_OF_MAC.get(macText(column, row))
          if (project === undefined) continue
          told++
          assert.equal(end.project, project, JSON.stringify(rowOf(batch, row)))
        }
      }
      assert.ok(capture === 'netflow5' || told > batch.rows / 2)
    })
  }

  it('every end of every row is known, none is ambiguous', () => {
    for (const capture of CAPTURES) {
      const batch = batchOf(capture)
      for (let row = 0; row < batch.rows; row++) {
        const { src, dst } = seen(batch, row)
        for (const end of [src, dst]) {
          assert.notEqual(end.grade, 'ambiguous')
          assert.notEqual(end.kind, 'unknown', JSON.stringify(rowOf(batch, row)))
        }
      }
    }
  })
})

describe('every byte once', () => {
  it('IPFIX: same host, other host, routed and north-south traffic each count once', () => {
    const batch = batchOf('ipfix')
    const received = (namespace: string) => counterOf('ipfix', namespace).received
    // red-10, red-2 and red-3 were each talked to by red-1 alone; outside by red-1 and blue-2.
    assert.equal(onceBetween(batch, 'red-1', 'red-10'), received('r10'), 'same host')
    assert.equal(onceBetween(batch, 'red-1', 'red-2'), received('r9'), 'another host')
    assert.equal(onceBetween(batch, 'red-1', 'red-3'), received('r3'), 'routed')
    assert.equal(
      onceBetween(batch, 'red-1', 'external') + onceBetween(batch, 'blue-2', 'external'),
      received('ext'),
      'north-south',
    )
    assert.equal(onceBetween(batch, 'external', 'server'), counterOf('ipfix', 'ext').sent, 'from outside')
  })

  it('IPFIX: the projects hold what their VMs sent, what came from outside, and two ARP replies of the routers', () => {
    const batch = batchOf('ipfix')
    const sent = [...truthOf('ipfix').values()].reduce((sum, traffic) => sum + traffic.sent, 0)
    assert.equal(
      projectBytes(batch, 'red') + projectBytes(batch, 'blue'),
      sent + counterOf('ipfix', 'ext').sent + 2 * 42,
    )
  })

  it('NetFlow: the same, but for ARP', () => {
    const batch = batchOf('netflow5')
    for (const [namespace, server] of [
      ['r10', 'red-10'],
      ['r9', 'red-2'],
      ['r3', 'red-3'],
    ] as const) {
      const missing = counterOf('netflow5', namespace).received - onceBetween(batch, 'red-1', server)
      assert.ok(missing >= 0 && missing <= 4 * 42 && missing % 42 === 0, `${server} ${missing}`)
    }
    const outside = onceBetween(batch, 'red-1', 'external') + onceBetween(batch, 'blue-2', 'external')
    assert.equal((counterOf('netflow5', 'ext').received - outside) % 42, 0)
    const projects = projectBytes(batch, 'red') + projectBytes(batch, 'blue')
    const truth = [...truthOf('netflow5').values()].reduce((sum, traffic) => sum + traffic.sent, 0)
    const whole = truth + counterOf('netflow5', 'ext').sent
    assert.ok(
      projects <= whole && (whole - projects) % 42 === 0 && 1 - projects / whole < 0.002,
      String(whole - projects),
    )
  })
})

describe('attributing rows a second time', () => {
  for (const capture of CAPTURES) {
    it(`${capture}: changes nothing`, async () => {
      const { cloud } = await loadIdentityFile(`${PCAPS}${capture}/identity.yaml`)
      const batch = batchOf(capture)
      const before = Array.from({ length: batch.rows }, (_, row) => rowOf(batch, row))
      new Attributor().attribute(batch, buildSnapshot(cloud, 0))
      assert.deepEqual(
        Array.from({ length: batch.rows }, (_, row) => rowOf(batch, row)),
        before,
      )
    })
  }
})
