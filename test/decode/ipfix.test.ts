import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { STATUS } from '../../src/decode/status.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { PCAPS } from '../paths.ts'
import { assertGolden } from './golden.ts'
import { WAYS } from './ipfix-build.ts'
import { datagram, readPayloads, rowsOf, type Row } from './ipfix-feed.ts'

/** Records, packets, octets and statistics records as tshark has them; of the second, nfdump, goflow2 and pmacct read 12 of 18. */
const CAPTURES = [
  { file: 'openvswitch/ovs-ipfix-bridge.pcap', records: 50, packets: 82, bytes: 6682, l2: 8310, fallBacks: 0 },
  { file: 'openvswitch/ovs-ipfix-flow.pcap', records: 18, packets: 28, bytes: 2408, l2: 2928, fallBacks: 6 },
  { file: 'openvswitch/ovs-ipfix-tunnel.pcap', records: 52, packets: 88, bytes: 6448, l2: 8448, fallBacks: 0 },
  { file: 'ipfix/capture.pcap', records: 88, packets: 2834, bytes: 2_059_936, l2: 2_099_836, fallBacks: 0 },
]

function decodeCapture(file: string, limits: (typeof WAYS)[number]['limits']) {
  const out = new FlowBatch(512)
  const told = { lost: 0, notSent: [] as number[] }
  let expected: number | undefined
  const decoder = new IpfixDecoder(
    {
      ...NO_SINK,
      notSent: (_, domain, packets) => void told.notSent.push(domain, packets),
      sequence({ exporterId }, protocol, _domain, sequence, records) {
        assert.equal(protocol, 'ipfix')
        if (!file.startsWith('openvswitch')) return
        if (expected !== undefined) told.lost += sequence - expected
        expected = sequence + records
        assert.ok(exporterId !== 0)
      },
    },
    { limits },
  )
  for (const payload of readPayloads(PCAPS + file, 10)) {
    const status = decoder.decode(datagram(payload.bytes, payload), out)
    assert.ok(status === STATUS.ok || status === STATUS.ok_no_rows)
  }
  return { rows: rowsOf(out), counters: decoder.counters, told }
}

const sum = (rows: readonly Row[], column: 'packets' | 'bytes' | 'l2_bytes') =>
  rows.reduce((total, row) => total + Number(row[column] ?? 0), 0)

describe('IPFIX of Open vSwitch', () => {
  for (const { file, records, packets, bytes, l2, fallBacks } of CAPTURES) {
    for (const { way, limits } of WAYS) {
      it(`is decoded to the rows of ${file}, ${way}`, () => {
        const { rows, counters, told } = decodeCapture(file, limits)
        assertGolden(file, rows)
        assert.equal(rows.length, records)
        assert.deepEqual([sum(rows, 'packets'), sum(rows, 'bytes'), sum(rows, 'l2_bytes')], [packets, bytes, l2])
        assert.deepEqual(counters, {
          templates: file.startsWith('ipfix') ? 356 : 89,
          withdrawals: 0,
          refused: 0,
          fallBacks,
          unknownSets: 0,
          mismatchedSets: 0,
          walked: way === 'walked' ? records : 0,
          presumed: 0,
          presumedConfirmed: 0,
          presumedRefuted: 0,
        })
        // Each exporter says once how many packets it could not send. No datagram of these captures is missing.
        assert.deepEqual(told.notSent, Array<number>(file.startsWith('ipfix') ? 8 : 2).fill(0))
        assert.equal(told.lost, 0)
      })
    }
  }

  it('counts what each VM sent and received to the byte of its interface counters', () => {
    const { rows } = decodeCapture('ipfix/capture.pcap', WAYS[1].limits)
    const taps = { r8: 'tap425fe781-d3', r10: 'tap525fe781-d4', b8: 'tapb25fe781-b8', r9: 'tapaeee0c10-2e' }
    const truth = readFileSync(`${PCAPS}ipfix/truth.txt`, 'utf8')
    for (const [vm, tap] of Object.entries(taps)) {
      const [, sent, , received] = new RegExp(`^${vm} (\\d+) (\\d+) (\\d+)`, 'm').exec(truth)!
      const ingress = rows.filter((row) => row.flow_direction === 'ingress' && row.in_if_name === tap)
      const egress = rows.filter((row) => row.flow_direction === 'egress' && row.out_if_name === tap)
      assert.equal(sum(ingress, 'l2_bytes'), Number(sent), `${vm} sent`)
      assert.equal(sum(egress, 'l2_bytes'), Number(received), `${vm} received`)
    }
  })
})
