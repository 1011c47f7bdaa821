import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyTable } from '../../src/pipeline/key-table.ts'

const key = (n: number) => [n, Math.imul(n, 2_654_435_761) >>> 0, n & 7, 0xffff_ffff] as const

describe('KeyTable', () => {
  it('gives each key its own place and finds it again', () => {
    const table = new KeyTable(1000, 1000)
    const places = new Set<number>()
    for (let n = 0; n < 1000; n++) {
      places.add(table.place(...key(n), 0))
      assert.equal(table.fresh, true)
    }
    assert.deepEqual(
      [...places].sort((a, b) => a - b),
      Array.from({ length: 1000 }, (_, i) => i),
    )
    for (let n = 0; n < 1000; n++) {
      assert.equal(table.place(...key(n), 0), table.find(...key(n)))
      assert.equal(table.fresh, false)
    }
  })

  it('refuses and counts what is beyond its bound while nothing is idle', () => {
    const table = new KeyTable(16, 1000)
    for (let n = 0; n < 16; n++) table.place(...key(n), 0)
    assert.equal(table.place(...key(16), 1000), -1)
    assert.equal(table.refused, 1)
    assert.equal(table.size, 16)
    assert.equal(table.find(...key(16)), -1)
  })

  it('agrees with a Map while keys come, age and go (seeded)', () => {
    const table = new KeyTable(64, 50)
    const model = new Map<number, { place: number; seen: number }>()
    let seed = 42
    const random = (n: number) => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1) % n
    for (let now = 0; now < 20_000; now++) {
      const n = random(100)
      const known = model.get(n)
      const place = table.place(...key(n), now)
      if (known !== undefined) assert.equal(place, known.place)
      if (place < 0) {
        assert.equal(model.size, 64)
        continue
      }
      for (const [other, { place: taken, seen }] of model)
        if (other !== n && taken === place) {
          assert.ok(now - seen > 50, 'only an idle key loses its place')
          model.delete(other)
          assert.equal(table.find(...key(other)), -1)
        }
      model.set(n, { place, seen: now })
      if (now % 97 === 0) for (const [k, v] of model) assert.equal(table.find(...key(k)), v.place)
    }
    assert.ok(table.evicted > 100)
  })
})
