import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createDatabase, createTable } from '../../src/schema/ddl.ts'
import { enumValues } from '../../src/schema/enums.ts'
import { blocksOfRows, encodeRows, RowEncoder, type SideRow } from '../../src/schema/rows.ts'
import { HEALTH_TABLE, SIDE_TABLES, sideTableSpec, type SideTable } from '../../src/schema/side-tables.ts'
import { NO_ENGINE, openEngine, type Engine } from '../store/engine.ts'

const LANES = new Uint32Array(new Uint8Array([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd]).buffer)

/** A value of every column that no other column of its kind has, and how the engine writes it. */
function filled(table: SideTable): { row: SideRow<SideTable>; written: string[] } {
  const entries = Object.entries(table.columns).map(([name, { kind, of }], i) => {
    if (kind === 'ip') return [name, LANES, '2001:db8::abcd'] as const
    if (kind === 'text') return [name, `text ${i}`, `text ${i}`] as const
    if (kind === 'enum') return [name, enumValues(of!).at(-1)!, enumValues(of!).at(-1)!] as const
    if (kind === 'time') return [name, 1_700_000_000_123, '2023-11-14 22:13:20.123'] as const
    if (kind === 'f64') return [name, i + 0.25, String(i + 0.25)] as const
    const value = kind === 'u64' ? 2 ** 52 + i : i
    return [name, value, String(value)] as const
  })
  return {
    row: Object.fromEntries(entries.map(([name, value]) => [name, value])) as SideRow<SideTable>,
    written: entries.map(([, , text]) => text),
  }
}

describe('rows of the side tables, read back by the engine', { skip: NO_ENGINE }, () => {
  let engine: Engine
  const target = { database: 'sides' }
  before(async () => {
    engine = await openEngine()
    await engine.run(createDatabase(target))
  })
  after(() => engine.close())

  for (const table of SIDE_TABLES)
    it(`${table.name} holds what was written, and zero where nothing was`, async () => {
      await engine.run(createTable(sideTableSpec(table), target)[0]!)
      const { row, written } = filled(table)
      const block = encodeRows<SideTable>(table, [row, {}])
      assert.equal(block.rows, 2)
      await engine.insertNative(`sides.${table.name}`, block.columns, block.bytes)
      const columns = block.columns.map((name) => `toString(${name})`).join(', ')
      const text = Object.entries(table.columns).find(([, { kind }]) => kind === 'text')![0]
      const [full, empty] = await engine.rows(`SELECT ${columns} FROM sides.${table.name} ORDER BY ${text} DESC`)
      assert.deepEqual(full, written)
      for (const [i, [name, { kind, of }]] of Object.entries(table.columns).entries()) {
        const nothing = { ip: '::', text: '', time: '1970-01-01 00:00:00.000' }[kind as string]
        assert.equal(empty![i], nothing ?? (of === undefined ? '0' : enumValues(of)[0]), name)
      }
    })

  it('many rows are several blocks, of the columns that one of their rows has, and nothing of one is in the next', async () => {
    const many = Array.from({ length: 301 }, (_, i) => ({
      minute: i,
      ...(i < 200 ? { lost: i } : { datagrams: 1, exporter_host: `c${i}`, protocol: 'ipfix' }),
    }))
    const blocks = [...blocksOfRows(new RowEncoder(HEALTH_TABLE), many, 100)]
    assert.deepEqual(
      blocks.map(({ rows, columns }) => [rows, columns]),
      [
        [100, ['minute', 'lost']],
        [100, ['minute', 'lost']],
        [100, ['minute', 'exporter_host', 'protocol', 'datagrams']],
        [1, ['minute', 'exporter_host', 'protocol', 'datagrams']],
      ],
    )
    await engine.run('TRUNCATE TABLE sides.exporter_health')
    for (const { columns, bytes } of blocks) await engine.insertNative('sides.exporter_health', columns, bytes)
    const read = await engine.rows(
      "SELECT count(), sum(toUnixTimestamp64Milli(minute)), sum(lost), sum(datagrams), uniqExact(exporter_host), countIf(protocol = 'ipfix' AND exporter = toIPv6('::')) FROM sides.exporter_health",
    )
    assert.deepEqual(read[0]!.map(Number), [301, (300 * 301) / 2, (199 * 200) / 2, 101, 102, 101])
  })

  it('no rows are a block without data', async () => {
    const block = encodeRows(HEALTH_TABLE, [])
    await engine.insertNative('sides.exporter_health', block.columns, block.bytes)
    assert.equal(block.rows, 0)
  })
})
