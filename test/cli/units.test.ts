import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatBytes, formatCount, formatError } from '../../src/cli/units.ts'

describe('numbers for people', () => {
  it('have three digits and a decimal unit', () => {
    const shown: readonly (readonly [number, string])[] = [
      [0, '0 B'],
      [834, '834 B'],
      [999, '999 B'],
      [1000, '1.00 kB'],
      [1234, '1.23 kB'],
      [9994, '9.99 kB'],
      [9995, '10.0 kB'],
      [99_949, '99.9 kB'],
      [99_950, '100 kB'],
      [538_834, '539 kB'],
      [999_499, '999 kB'],
      [999_500, '1.00 MB'],
      [10_633_461_318, '10.6 GB'],
      [9.007e15, '9.01 PB'],
      [5e18, '5.00 EB'],
    ]
    for (const [bytes, text] of shown) assert.equal(formatBytes(bytes), text)
    assert.equal(formatCount(12_345), '12.3 k')
    assert.equal(formatCount(507), '507')
  })

  it('never take more than eight places, and never say 1000 of a unit', () => {
    for (let value = 1; value < 1e18; value = Math.ceil(value * 1.07)) {
      assert.ok(formatBytes(value).length <= 8, formatBytes(value))
      assert.doesNotMatch(formatBytes(value), /^1000/)
    }
  })

  it('show an error as a share of what it is of', () => {
    assert.equal(formatError(40, 1000), '±4 %')
    assert.equal(formatError(3, 1000), '±0.3 %')
    assert.equal(formatError(0, 1000), '')
    assert.equal(formatError(5, 0), '')
  })
})
