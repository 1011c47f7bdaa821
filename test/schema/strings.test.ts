import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { StringTable } from '../../src/schema/strings.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('StringTable', () => {
  it('gives one code to a string, whether it comes from the model or from the wire', () => {
    const table = new StringTable()
    const code = table.intern('tap1')
    assert.equal(table.internBytes(bytes('xtap1\0\0'), 1, 6), code)
    assert.equal(table.internBytes(bytes('tap1'), 0, 4), code)
    assert.equal(table.values[code], 'tap1')
    assert.equal(table.size, 2)
  })

  it('keeps code 0 for the empty string, also when it is padded with NUL', () => {
    const table = new StringTable()
    assert.equal(table.intern(''), 0)
    assert.equal(table.internBytes(bytes('\0\0\0'), 0, 3), 0)
  })

  it('answers 0 and counts when the bound on wire strings is reached, and still knows the old ones', () => {
    const table = new StringTable(2)
    const first = table.internBytes(bytes('a'), 0, 1)
    table.internBytes(bytes('b'), 0, 1)
    assert.equal(table.internBytes(bytes('c'), 0, 1), 0)
    assert.equal(table.overflowed, 1)
    assert.equal(table.internBytes(bytes('a'), 0, 1), first)
    assert.notEqual(table.intern('model'), 0)
  })

  it('turns damaged UTF-8 into replacement characters, each time to the same code', () => {
    const table = new StringTable()
    const damaged = Uint8Array.of(0x61, 0xff, 0x62)
    const code = table.internBytes(damaged, 0, 3)
    assert.equal(table.values[code], 'a\ufffdb')
    assert.equal(table.internBytes(damaged, 0, 3), code)
    assert.equal(table.size, 2)
  })
})
