import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ExporterTable, formatAddress } from '../../src/pipeline/exporters.ts'
import { lanesOf } from './parts.ts'

describe('formatAddress', () => {
  it('writes lanes as an operator reads them', () => {
    for (const text of ['10.0.10.14', '::', '::1', '2001:db8::1', 'fe80::1:2:3', '1:2:3:4:5:6:7:8'])
      assert.equal(formatAddress(lanesOf(text)), text)
    assert.equal(formatAddress(lanesOf('::ffff:10.0.10.14')), '10.0.10.14')
    assert.equal(formatAddress(lanesOf('64:ff9b::192.0.2.33')), '64:ff9b::c000:221')
  })
})

describe('ExporterTable', () => {
  it('numbers sources densely and knows them again', () => {
    const table = new ExporterTable({ max: 16, idleMs: 1000 })
    const lanes = new Uint32Array([...lanesOf('10.0.0.1'), ...lanesOf('10.0.0.2')])
    assert.deepEqual(
      [0, 4, 0, 0, 4].map((at) => table.placeOf(lanes, at, 0)),
      [0, 1, 0, 0, 1],
    )
    assert.equal(formatAddress(table.address, 4), '10.0.0.2')
  })

  it('stores rows of an aliased source under the other address', () => {
    const table = new ExporterTable({ max: 16, idleMs: 1000, aliases: ['127.0.0.2=10.0.10.14', '::1=10.0.10.23'] })
    assert.equal(formatAddress(table.address, table.placeOf(lanesOf('127.0.0.2'), 0, 0) * 4), '10.0.10.14')
    assert.equal(formatAddress(table.address, table.placeOf(lanesOf('::1'), 0, 0) * 4), '10.0.10.23')
    assert.equal(formatAddress(table.address, table.placeOf(lanesOf('127.0.0.3'), 0, 0) * 4), '127.0.0.3')
  })

  it('refuses sources beyond its bound, and gives the place of an idle one away under a new id', () => {
    const table = new ExporterTable({ max: 2, idleMs: 1000 })
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(lanesOf) as [Uint32Array, Uint32Array, Uint32Array]
    table.placeOf(a, 0, 0)
    table.placeOf(b, 0, 900)
    assert.deepEqual([table.idAt(0), table.idAt(1)], [0, 1])
    assert.equal(table.placeOf(c, 0, 1000), -1)
    assert.equal(table.refused, 1)
    assert.equal(table.placeOf(c, 0, 1500), 0)
    assert.equal(table.idAt(0), 2)
    assert.equal(table.placeOfId(2), 0)
    assert.equal(table.placeOfId(0), -1)
    assert.equal(formatAddress(table.address, 0), '10.0.0.3')
    assert.equal(table.placeOf(a, 0, 1500), -1)
  })
})
