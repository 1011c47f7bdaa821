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
      [0, 4, 0, 0, 4].map((at) => table.idOf(lanes, at, 0)),
      [0, 1, 0, 0, 1],
    )
    assert.equal(formatAddress(table.address, 4), '10.0.0.2')
  })

  it('stores rows of an aliased source under the other address', () => {
    const table = new ExporterTable({ max: 16, idleMs: 1000, aliases: ['127.0.0.2=10.0.10.14', '::1=10.0.10.23'] })
    assert.equal(formatAddress(table.address, table.idOf(parseAddress('127.0.0.2'), 0, 0) * 4), '10.0.10.14')
    assert.equal(formatAddress(table.address, table.idOf(parseAddress('::1'), 0, 0) * 4), '10.0.10.23')
    assert.equal(formatAddress(table.address, table.idOf(parseAddress('127.0.0.3'), 0, 0) * 4), '127.0.0.3')
  })

  it('refuses sources beyond its bound, and tells whom to forget when an idle one gives up its place', () => {
    const forgotten: number[] = []
    const table = new ExporterTable({ max: 2, idleMs: 1000, onForget: (id) => forgotten.push(id) })
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(parseAddress) as [Uint32Array, Uint32Array, Uint32Array]
    table.idOf(a, 0, 0)
    table.idOf(b, 0, 900)
    table.rows[0] = 7
    forgotten.length = 0
    assert.equal(table.idOf(c, 0, 1000), -1)
    assert.equal(table.refused, 1)
    assert.equal(table.idOf(c, 0, 1500), 0)
    assert.deepEqual(forgotten, [0])
    assert.equal(table.rows[0], 0)
    assert.equal(formatAddress(table.address, 0), '10.0.0.3')
    assert.equal(table.idOf(a, 0, 1500), -1)
  })
})
