import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import type { FlowBatch } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { decodeCapture } from './decoded.ts'
import { trafficOf, truthOf } from './truth.ts'

async function attributed(capture: string): Promise<FlowBatch> {
  const batch = await decodeCapture(`${PCAPS}${capture}/capture.pcap`)
  const { cloud } = await loadIdentityFile(`${PCAPS}${capture}/identity.yaml`)
  new Attributor().attribute(batch, buildSnapshot(cloud, 0))
  return batch
}

describe('what the interfaces of the VMs counted', () => {
  it('IPFIX: is what every VM sent and received, to the byte and packet', async () => {
    const found = trafficOf(await attributed('ipfix'))
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(truthOf('ipfix')))
  })

  it('a mirror of one port: is what that VM sent and received, to the byte and packet', async () => {
    const found = trafficOf(await attributed('gre-mirror'))
    assert.deepEqual(found.get('red-1'), truthOf('gre-mirror').get('red-1'))
  })

  it('NetFlow: is what every VM sent and received, but for 42 bytes of each packet that is not IP', async () => {
    const found = trafficOf(await attributed('netflow5'))
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
})
