import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { FlowBatch, setTime, setU64 } from '../../src/schema/batch.ts'
import { COLUMN_NAMES, columnFacts, type ColumnName } from '../../src/schema/columns.ts'
import { enumValues } from '../../src/schema/enums.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { StringTable } from '../../src/schema/strings.ts'
import { columnType } from '../../src/schema/types.ts'
import { NO_ENGINE, openEngine, type Engine } from '../store/engine.ts'

const namesOf = (kind: string) => COLUMN_NAMES.filter((name) => columnFacts(name).kind === kind)

/** Writes 16 bytes in network order. */
function setAddress(column: Uint32Array, row: number, bytes: readonly number[]): void {
  new Uint8Array(column.buffer, column.byteOffset).set(bytes, row * 16)
}

const V4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 168, 10, 8]
const V6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd]

describe('a Native block, read back by the engine', { skip: NO_ENGINE }, () => {
  let engine: Engine
  const encoder = new NativeEncoder()
  before(async () => {
    engine = await openEngine()
    await engine.run(
      `CREATE TABLE t (i UInt64 DEFAULT rowNumberInAllBlocks(), ${COLUMN_NAMES.map((name) => `${name} ${columnType(name)}`).join(', ')}) ENGINE = Memory`,
    )
  })
  after(() => engine.close())

  /** Inserts the batches as one block into the emptied table. */
  async function insert(...batches: FlowBatch[]): Promise<void> {
    const block = encoder.encode(batches)
    await engine.run('TRUNCATE TABLE t')
    await engine.insertNative('t', block.columns, block.bytes)
    const rows = batches.reduce((sum, batch) => sum + batch.rows, 0)
    assert.equal(block.rows, rows)
    assert.deepEqual(await engine.rows('SELECT count() FROM t'), [[String(rows)]])
  }

  /** Values of one column in row order, as the engine prints them. */
  async function column(name: ColumnName, expression = `toString(${name})`): Promise<unknown[]> {
    return (await engine.rows(`SELECT ${expression} FROM t ORDER BY i`)).map((row) => row[0])
  }

  it('holds 0 rows', async () => {
    await insert(new FlowBatch(4))
  })

  it('holds rows that are zero in every column', async () => {
    const batch = new FlowBatch(8)
    batch.rows = 5
    await insert(batch)
    assert.deepEqual(encoder.encode([batch]).columns, ['flow_end'])
    for (const name of namesOf('text')) assert.deepEqual(await column(name), ['', '', '', '', ''])
    assert.deepEqual(await column('src_addr'), Array(5).fill('::'))
    assert.deepEqual(await column('src_grade'), Array(5).fill('unknown'))
  })

  it('holds integers from 0 to the largest, in every integer column', async () => {
    const batch = new FlowBatch(8)
    const values = { u8: [0, 1, 255], u16: [0, 256, 65_535], u32: [0, 65_536, 4_294_967_295] }
    for (const [kind, numbers] of Object.entries(values))
      for (const name of namesOf(kind)) numbers.forEach((value, row) => (batch.columns[name][row] = value))
    batch.rows = 3
    await insert(batch)
    for (const [kind, numbers] of Object.entries(values))
      for (const name of namesOf(kind)) assert.deepEqual(await column(name), numbers.map(String), name)
  })

  it('holds 64-bit integers and MAC addresses to the last bit', async () => {
    const batch = new FlowBatch(8)
    for (const name of [...namesOf('u64'), ...namesOf('mac')]) {
      const array = batch.columns[name] as Uint32Array
      setU64(array, 0, 0)
      setU64(array, 1, 4_294_967_296)
      setU64(array, 2, Number.MAX_SAFE_INTEGER)
      array.fill(0xffff_ffff, 6, 8)
    }
    batch.rows = 4
    await insert(batch)
    for (const name of [...namesOf('u64'), ...namesOf('mac')])
      assert.deepEqual(await column(name), ['0', '4294967296', '9007199254740991', '18446744073709551615'], name)
    setU64(batch.columns.src_mac, 0, 0xfa163e_112233)
    await insert(batch)
    assert.equal((await column('src_mac', 'MACNumToString(src_mac)'))[0], 'FA:16:3E:11:22:33')
  })

  it('holds floats', async () => {
    const batch = new FlowBatch(8)
    const values = [0, -0.5, 1e300, 5e-324, 123456789.125]
    for (const name of namesOf('f64')) values.forEach((value, row) => (batch.columns[name][row] = value))
    batch.rows = values.length
    await insert(batch)
    for (const name of namesOf('f64')) assert.deepEqual((await column(name, name)).map(Number), values, name)
  })

  it('holds times to the millisecond', async () => {
    const batch = new FlowBatch(8)
    for (const name of namesOf('time')) {
      const array = batch.columns[name] as Uint32Array
      setTime(array, 0, 0)
      setTime(array, 1, Date.UTC(2025, 10, 23, 0, 42, 1, 7))
      setTime(array, 2, Date.UTC(2106, 1, 7, 6, 28, 16, 999))
    }
    batch.rows = 3
    await insert(batch)
    for (const name of namesOf('time'))
      assert.deepEqual(await column(name), [
        '1970-01-01 00:00:00.000',
        '2025-11-23 00:42:01.007',
        '2106-02-07 06:28:16.999',
      ])
  })

  it('holds addresses of both families', async () => {
    const batch = new FlowBatch(8)
    for (const name of namesOf('ip')) {
      const array = batch.columns[name] as Uint32Array
      setAddress(array, 1, V4_MAPPED)
      setAddress(array, 2, V6)
      setAddress(array, 3, Array<number>(16).fill(255))
    }
    batch.rows = 4
    await insert(batch)
    for (const name of namesOf('ip'))
      assert.deepEqual(await column(name), [
        '::',
        '::ffff:192.168.10.8',
        '2001:db8::abcd',
        'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
      ])
  })

  it('holds every value of every closed set under its name', async () => {
    const batch = new FlowBatch(64)
    for (const name of namesOf('enum'))
      enumValues(columnFacts(name).of!).forEach((_, code) => (batch.columns[name][code] = code))
    batch.rows = 32
    await insert(batch)
    for (const name of namesOf('enum')) {
      const values = enumValues(columnFacts(name).of!) as readonly string[]
      assert.deepEqual((await column(name)).slice(0, values.length), values, name)
    }
  })

  it('holds strings: empty, long, of any script, with quotes, tabs and NULs', async () => {
    const values = ['', 'vm-1', '', 'Zürich 東京 🜂', `it's "\\" 100%`, 'a\tb\nc\0d', 'x'.repeat(70_000), 'vm-1']
    const batch = new FlowBatch(8)
    for (const name of namesOf('text'))
      values.forEach((value, row) => (batch.columns[name][row] = batch.strings.intern(value)))
    batch.rows = values.length
    await insert(batch)
    for (const name of namesOf('text')) assert.deepEqual(await column(name), values, name)
  })

  it('gives each text column a dictionary of its own', async () => {
    const batch = new FlowBatch(8)
    const { src_server, dst_server } = batch.columns
    for (let row = 0; row < 8; row++) {
      src_server[row] = batch.strings.intern(`s${row}`)
      dst_server[row] = batch.strings.intern(`s${7 - row}`)
    }
    batch.rows = 8
    for (let again = 0; again < 3; again++) {
      await insert(batch)
      assert.deepEqual(await column('src_server'), ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7'])
      assert.deepEqual(await column('dst_server'), ['s7', 's6', 's5', 's4', 's3', 's2', 's1', 's0'])
    }
  })

  for (const distinct of [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000]) {
    it(`holds ${distinct} distinct strings`, async () => {
      const rows = distinct + 10
      const batch = new FlowBatch(rows, new StringTable())
      const codes = Array.from({ length: distinct }, (_, i) => batch.strings.intern(`name-${i}`))
      for (let row = 0; row < rows; row++) batch.columns.src_port[row] = codes[(row * 7919) % distinct]!
      batch.rows = rows
      await insert(batch)
      const wrong = `countIf(src_port != concat('name-', toString((i * 7919) % ${distinct})))`
      assert.deepEqual(await engine.rows(`SELECT ${wrong}, uniqExact(src_port) FROM t`), [['0', String(distinct)]])
    })
  }

  it('holds several batches of one StringTable in order, whatever the widths of their indexes', async () => {
    const strings = new StringTable()
    const batches = [3, 300, 0, 70_000, 1].map((rows) => {
      const batch = new FlowBatch(rows + 5, strings)
      batch.rows = rows
      return batch
    })
    let at = 0
    for (const batch of batches) {
      for (let row = 0; row < batch.rows; row++, at++) {
        batch.columns.dst_host[row] = strings.intern(`host-${at}`)
        batch.columns.sequence[row] = at
        setU64(batch.columns.bytes, row, at * 3)
      }
    }
    await insert(...batches)
    const wrong = `countIf(sequence != i OR bytes != i * 3 OR dst_host != concat('host-', toString(i)))`
    assert.deepEqual(await engine.rows(`SELECT ${wrong} FROM t`), [['0']])
  })

  it('refuses batches of different StringTables', () => {
    assert.throws(() => encoder.encode([new FlowBatch(1), new FlowBatch(1)]), /share a StringTable/)
  })
})
