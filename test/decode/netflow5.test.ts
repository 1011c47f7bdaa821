import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { Netflow5Decoder, outputKind, splitInterface } from '../../src/decode/netflow5.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { FlowBatch, getU64 } from '../../src/schema/batch.ts'
import { enumCodes } from '../../src/schema/enums.ts'
import { PCAPS } from '../paths.ts'
import { datagram, readPayloads, rowOf } from './ipfix-feed.ts'

const sum = (column: Uint32Array, rows: number) =>
  Array.from({ length: rows }, (_, row) => getU64(column, row)).reduce((a, b) => a + b, 0)

describe('NetFlow v5', () => {
  it('decodes what Open vSwitch sends', () => {
    const out = new FlowBatch(64)
    const decoder = new Netflow5Decoder(NO_SINK)
    for (const payload of readPayloads(`${PCAPS}openvswitch/ovs-netflow5.pcap`, 5))
      assert.equal(DECODE_STATUS_NAMES[decoder.decode(datagram(payload.bytes, payload), out)], 'ok')
    assert.equal(out.rows, 18)
    assert.equal(sum(out.columns.packets, out.rows), 30)
    assert.equal(sum(out.columns.l2_bytes, out.rows), 3540)
    assert.equal(rowOf(out, 0).output_kind, 'interface')
  })

  it('keeps the special outputs apart', () => {
    const kind = enumCodes('output_kind')
    assert.equal(outputKind(7), kind.interface)
    assert.equal(outputKind(65_533), kind.none)
    assert.equal(outputKind(65_534), kind.local)
    assert.equal(outputKind(65_535), kind.flood)
  })

  it('finds the port inside an interface number that carries the engine id', () => {
    assert.equal(splitInterface(1035, 130), 11)
    assert.equal(splitInterface(1533, 130), 65_533)
    assert.equal(splitInterface(1534, 130), 65_534)
    assert.equal(splitInterface(1035, 5), -1)
  })
})
