import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { FlowBatch, getU64 } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { datagram, readPayloads, rowsOf } from './ipfix-feed.ts'

/** Records, packets and octets as tshark has them. */
const CAPTURES = [
  { file: 'openvswitch/ovs-ipfix-bridge.pcap', records: 50, packets: 82, bytes: 6682, fallBacks: 0 },
  { file: 'openvswitch/ovs-ipfix-flow.pcap', records: 18, packets: 28, bytes: 2408, fallBacks: 6 },
  { file: 'openvswitch/ovs-ipfix-tunnel.pcap', records: 52, packets: 88, bytes: 6448, fallBacks: 0 },
  { file: 'ipfix/capture.pcap', records: 88, packets: 2834, bytes: 2_059_936, fallBacks: 0 },
]

function decodeCapture(file: string, compileAfterRecords: number) {
  const out = new FlowBatch(512)
  const decoder = new IpfixDecoder(NO_SINK, { limits: { compileAfterRecords, bindAfterDatagrams: 0 } })
  for (const payload of readPayloads(PCAPS + file, 10)) decoder.decode(datagram(payload.bytes, payload), out)
  return { out, decoder }
}

describe('IPFIX of Open vSwitch', () => {
  for (const { file, records, packets, bytes, fallBacks } of CAPTURES) {
    it(`decodes ${file}, compiled and walked alike`, () => {
      const { out, decoder } = decodeCapture(file, 0)
      const sum = (column: Uint32Array) =>
        Array.from({ length: out.rows }, (_, row) => getU64(column, row)).reduce((a, b) => a + b, 0)
      assert.equal(out.rows, records)
      assert.equal(sum(out.columns.packets), packets)
      assert.equal(sum(out.columns.bytes), bytes)
      assert.equal(decoder.counters.fallBacks, fallBacks)
      assert.equal(decoder.counters.walked, 0)
      const walked = decodeCapture(file, Infinity)
      assert.equal(walked.decoder.counters.walked, records)
      assert.deepEqual(rowsOf(walked.out), rowsOf(out))
    })
  }
})
