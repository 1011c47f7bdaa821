import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LaneTable } from '../../src/identity/lanes.ts'

/** xorshift32: the same numbers on every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let x = seed; ;) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    yield x
  }
}

describe('a table of lanes', () => {
  for (const width of [2, 3, 5] as const) {
    it(`finds what a Map finds, keys of ${width} words, while it grows`, () => {
      const table = new LaneTable(width)
      const map = new Map<string, number[]>()
      const random = numbers(width)
      const get = (key: readonly number[]) => {
        const [a, b, c, d, e] = key as [number, number, number, number, number]
        return width === 2 ? table.get2(a, b) : width === 3 ? table.get3(a, b, c) : table.get5(a, b, c, d, e)
      }
      for (let i = 1; i <= 5000; i++) {
        // Few different words, so that keys share prefixes and repeat.
        const key = Array.from({ length: width }, () => random.next().value % 40)
        table.add(key, i)
        map.set(String(key), [...(map.get(String(key)) ?? []), i])
      }
      assert.equal(table.size, map.size)
      for (const [text, values] of map) {
        const raw = get(text.split(',').map(Number))
        assert.equal(table.count(raw), values.length)
        assert.deepEqual(
          values.map((_, i) => table.at(raw, i)),
          values,
        )
      }
      assert.equal(get([41, 41, 41, 41, 41]), 0)
    })
  }

  it('takes words above 2^31 as the same as their signed form', () => {
    const table = new LaneTable(2)
    table.add([0xffffffff, 0x80000000], 7)
    assert.equal(table.get2(-1, 0x80000000 | 0), 7)
  })

  it('keeps a value once, and several values all', () => {
    const table = new LaneTable(2)
    for (const value of [4, 4, 9, 4, 9]) table.add([1, 2], value)
    const raw = table.get2(1, 2)
    assert.ok(raw < 0)
    assert.deepEqual(table.list(raw), [4, 9])
  })
})
