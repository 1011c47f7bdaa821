import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IdTable, PrefixTable } from '../../src/identity/ids.ts'

const uuid = (n: number) =>
  `${((n * 0x9e3779b1) % 2 ** 32).toString(16).padStart(8, '0')}-0000-4000-8000-${n.toString(16).padStart(12, '0')}`

describe('a table of ids', () => {
  it('finds what a Map finds, UUIDs and others, while it grows and ids are taken out', () => {
    const table = new IdTable()
    const map = new Map<string, number>()
    const idOf = (n: number) => (n % 5 === 0 ? `port-${n}` : n % 7 === 0 ? uuid(n).toUpperCase() : uuid(n))
    for (let i = 1; i <= 5_000; i++) {
      const id = idOf((i * 31) % 1_500)
      table.set(id, i)
      map.set(id, i)
      const gone = idOf((i * 17) % 1_500)
      if (i % 3 !== 0) continue
      table.delete(gone)
      map.delete(gone)
    }
    for (let n = 0; n < 1_600; n++) assert.equal(table.get(idOf(n)), map.get(idOf(n)) ?? 0, idOf(n))
  })

  it('tells ids apart that differ in one character, or are nearly UUIDs', () => {
    const table = new IdTable()
    const id = 'b40de0b1-b1aa-4d3f-9c55-0123456789ab'
    table.set(id, 1)
    for (let at = 0; at < id.length; at++)
      for (const other of ['0', 'f', '-', 'B', 'g', 'é', 'ı'])
        if (other !== id[at]) assert.equal(table.get(id.slice(0, at) + other + id.slice(at + 1)), 0)
    for (const text of ['', id.slice(1), `${id}0`]) assert.equal(table.get(text), 0)
    assert.equal(table.get(id), 1)
  })
})

describe('beginnings of ids', () => {
  it('lead to the one id that has them', () => {
    const table = new PrefixTable()
    table.add('b40de0b1-b1aa-4d3f-9c55-0123456789ab', 7)
    table.add('b40de0b1-b2aa-4d3f-9c55-0123456789ab', 8)
    table.add('a port of a file', 9)
    assert.equal(table.get('b40de0b1-b1'), 7)
    assert.equal(table.get('b40de0b1-b2'), 8)
    for (const text of ['b40de0b1-b3', 'b40de0b1', '', 'a port of a']) assert.equal(table.get(text), 0)
    table.replace('b40de0b1-b1aa-4d3f-9c55-0123456789ab', 10)
    assert.equal(PrefixTable.unpack(table.pack()).get('b40de0b1-b1'), 10)
  })

  it('lead nowhere where several ids share them, whatever becomes of one', () => {
    const table = new PrefixTable()
    const ids = ['b40de0b1-b1aa-4d3f-9c55-000000000001', 'b40de0b1-b1aa-4d3f-9c55-000000000002']
    for (const [i, id] of ids.entries()) table.add(id, i + 1)
    table.replace(ids[0]!, 3)
    assert.equal(table.get('b40de0b1-b1'), 0)
  })
})
