import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ExporterTable, formatAddress, parseAddress } from '../../src/pipeline/exporters.ts'

describe('addresses', () => {
  it('are read into the lanes of an ip column and written back', () => {
    assert.deepEqual([...new Uint8Array(parseAddress('10.0.10.14').buffer)].slice(10), [255, 255, 10, 0, 10, 14])
    for (const text of ['10.0.10.14', '::', '::1', '2001:db8::1', 'fe80::1:2:3', '1:2:3:4:5:6:7:8'])
      assert.equal(formatAddress(parseAddress(text)), text)
    assert.equal(formatAddress(parseAddress('::ffff:10.0.10.14')), '10.0.10.14')
    assert.equal(formatAddress(parseAddress('64:ff9b::192.0.2.33')), '64:ff9b::c000:221')
    assert.throws(() => parseAddress('c0'))
  })
})

describe('ExporterTable', () => {
  it('numbers sources densely and knows them again', () => {
    const table = new ExporterTable({ max: 16, idleMs: 1000 })
    const lanes = new Uint32Array([...parseAddress('10.0.0.1'), ...parseAddress('10.0.0.2')])
    assert.deepEqual(
      [0, 4, 0, 0, 4].map((at) => table.placeOf(lanes, at, 0)),
      [0, 1, 0, 0, 1],
    )
    assert.equal(formatAddress(table.address, 4), '10.0.0.2')
  })

  it('stores rows of an aliased source under the other address', () => {
    const table = new ExporterTable({ max: 16, idleMs: 1000, aliases: ['127.0.0.2=10.0.10.14', '::1=10.0.10.23'] })
    assert.equal(formatAddress(table.address, table.placeOf(parseAddress('127.0.0.2'), 0, 0) * 4), '10.0.10.14')
    assert.equal(formatAddress(table.address, table.placeOf(parseAddress('::1'), 0, 0) * 4), '10.0.10.23')
    assert.equal(formatAddress(table.address, table.placeOf(parseAddress('127.0.0.3'), 0, 0) * 4), '127.0.0.3')
  })

  it('refuses sources beyond its bound, and gives the place of an idle one away under a new id', () => {
    const table = new ExporterTable({ max: 2, idleMs: 1000 })
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(parseAddress) as [Uint32Array, Uint32Array, Uint32Array]
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
