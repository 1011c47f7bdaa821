/** What every Store does; run against each of them. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AppError, type ErrorCode } from '../../src/errors.ts'
import type { QueryParam, Store } from '../../src/store/store.ts'
import { COUNTS, T0, flowBlock, numberedBlock, poisonedBlock } from './blocks.ts'

export interface Opened {
  store: Store
  close: () => Promise<void>
}

/** An assertion on a rejected promise: the code, and what the message must tell. */
export function failsWith(code: ErrorCode, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  }
}

export function storeContract(name: string, skip: string | false, open: () => Promise<Opened>): void {
  describe(`${name}: what every store does`, { skip }, () => {
    let opened: Opened
    let store: Store
    before(async () => {
      opened = await open()
      store = opened.store
      await store.migrate()
    })
    after(() => opened.close())

    const ask = async (sql: string, params: Record<string, QueryParam> = {}) =>
      (await store.query({ sql, params })).rows

    it('migrates again without effect', async () => {
      await store.migrate()
      assert.deepEqual(await ask(COUNTS), [{ rows: 0, different: 0, bytes: 0 }])
    })

    it('stores a block, and the same token once', async () => {
      const block = flowBlock(1000, 0, 'token-1')
      await store.insert(block)
      await store.insert(block)
      await store.insert(flowBlock(500, 1000, 'token-2'))
      await store.insert(block)
      assert.deepEqual(await ask(COUNTS), [{ rows: 1500, different: 1500, bytes: 150_000 }])
    })

    it('stores what the columns say, and the default where a column is not in the block', async () => {
      const rows = await ask(
        'SELECT sequence, flow_end, src_server, dst_server, src_addr, src_grade FROM flows WHERE sequence = {n:UInt32}',
        { n: 1007 },
      )
      const flow_end = new Date(T0 + 7).toISOString().replace('T', ' ').replace('Z', '')
      assert.deepEqual(rows, [
        { sequence: 1007, flow_end, src_server: 'vm-7', dst_server: '', src_addr: '::', src_grade: 'unknown' },
      ])
    })

    it('refuses a block it cannot read, for good', async () => {
      await assert.rejects(store.insert(poisonedBlock()), failsWith('store_refused', /block of 3 rows/))
    })

    it('keeps a block for later when the table is not as it should be', async () => {
      const block = { ...flowBlock(1), table: 'nowhere' }
      await assert.rejects(store.insert(block), failsWith('store_unreachable', /nowhere/))
    })

    it('gives 64-bit integers as numbers when they are exact, else as digits, wherever they are', async () => {
      const [row] = await ask(`SELECT toUInt64(9007199254740991) AS exact, toUInt64(18446744073709551615) AS large,
        toInt64(-5) AS negative, [toUInt64(1), 18446744073709551615] AS list, tuple(toUInt64(2), 'x') AS pair,
        CAST((4, ['y']), 'Tuple(n UInt64, "odd name" Array(String))') AS named,
        map('a', toUInt64(3)) AS by_name, CAST(NULL, 'Nullable(UInt64)') AS nothing, 0.5 AS half, nan AS none`)
      assert.deepEqual(row, {
        exact: 9_007_199_254_740_991,
        large: '18446744073709551615',
        negative: -5,
        list: [1, '18446744073709551615'],
        pair: [2, 'x'],
        named: { n: 4, 'odd name': ['y'] },
        by_name: { a: 3 },
        nothing: null,
        half: 0.5,
        none: null,
      })
    })

    it('tells types, time and rows read', async () => {
      const answer = await store.query({ sql: 'SELECT sequence FROM flows', params: {} })
      assert.deepEqual(answer.columns, [{ name: 'sequence', type: 'UInt32' }])
      assert.equal(answer.rowsRead, 1500)
      assert.ok(answer.elapsedS >= 0)
    })

    const nasty = [
      `'`, `''`, `\\`, `\\'`, `\\\\'`, `' OR 1 = 1 --`, `'; DROP TABLE flows; --`, '`', '"', 'a\0b', '\t\n\r\b\f', 'é東🜂', '\\N', 'NULL',
      '{x:String}', '%s', '', ' ', '/* */', '--', ';', '\u2028', '\x1a\x7f', '\\x27', '\\u0027', '0x27', '][', `x'y\\`,
    ] // prettier-ignore
    it('takes a string parameter for nothing but that string', async () => {
      for (const text of nasty) {
        assert.deepEqual(await ask('SELECT {text:String} AS text', { text }), [{ text }], JSON.stringify(text))
        assert.deepEqual(await ask('SELECT count() AS n FROM flows WHERE src_server = {text:String}', { text }), [
          { n: 0 },
        ])
      }
    })

    it('takes lists, numbers, booleans and times', async () => {
      assert.deepEqual(await ask('SELECT {list:Array(String)} AS list', { list: nasty }), [{ list: nasty }])
      assert.deepEqual(await ask('SELECT {list:Array(UInt32)} AS list', { list: [1, 4_294_967_295] }), [
        { list: [1, 4_294_967_295] },
      ])
      const [row] = await ask(
        `SELECT {n:UInt64} AS n, {f:Float64} AS f, {b:Bool} AS b, {none:Array(String)} AS none,
           count() AS rows FROM flows WHERE flow_end >= {from:DateTime64(3)} AND flow_end < {to:DateTime64(3)}`,
        { n: '18446744073709551615', f: 0.25, b: true, none: [], from: (T0 + 10) / 1000, to: (T0 + 20) / 1000 },
      )
      assert.deepEqual(row, { n: '18446744073709551615', f: 0.25, b: true, none: [], rows: 20 })
    })

    it('refuses a parameter without a value, also when an earlier question had one of that name', async () => {
      await ask('SELECT {left:String} AS x', { left: 'over' })
      for (let again = 0; again < 8; again++)
        await assert.rejects(ask('SELECT {left:String} AS x'), failsWith('query_failed', /left/))
    })

    it('stops a question at its time limit', async () => {
      const sql = 'SELECT sum(sipHash64(number)) AS s FROM numbers(100000000000)'
      const start = Date.now()
      await assert.rejects(store.query({ sql, params: {}, timeoutMs: 200 }), failsWith('query_failed', /0\.2 s/))
      assert.ok(Date.now() - start < 3_000)
      await store.query({ sql: 'SELECT sleep(0.3)', params: {} })
    })

    it('keeps what a failed question had answered already out of the next answers', async () => {
      for (let again = 0; again < 8; again++) {
        const sql = 'SELECT number, throwIf(number = 400000) FROM numbers(500000) SETTINGS max_block_size = 1000'
        await assert.rejects(ask(sql), failsWith('query_failed', /throwIf/))
        assert.deepEqual(await ask('SELECT 1 AS one'), [{ one: 1 }])
      }
    })

    it('streams rows in any format, and goes on when a stream is given up', async () => {
      const stream = (sql: string, format: string, params: Record<string, QueryParam> = {}) =>
        store.stream({ sql, params }, format, { max_threads: 1 })
      const text = async (body: AsyncIterable<Buffer>) => {
        const parts: Buffer[] = []
        for await (const part of body) parts.push(part)
        return Buffer.concat(parts)
      }
      assert.equal(
        (await text(await stream('SELECT number AS n FROM numbers({n:UInt64})', 'JSONEachRow', { n: 2 }))).toString(),
        '{"n":0}\n{"n":1}\n',
      )
      const parquet = await text(await stream('SELECT number FROM numbers(100000)', 'Parquet'))
      assert.equal(parquet.subarray(-4).toString(), 'PAR1')
      await assert.rejects(
        async () => text(await stream('SELECT nothing', 'CSV')),
        failsWith('query_failed', /nothing/),
      )
      const most = await stream('SELECT number FROM numbers(3000000)', 'TSV')
      for await (const part of most) {
        assert.ok((part as Buffer).length > 0)
        break
      }
      assert.deepEqual(await ask('SELECT 1 AS one'), [{ one: 1 }])
      assert.equal((await text(await stream('SELECT 1', 'TSV'))).toString(), '1\n')
    })

    it('says what is wrong with a question', async () => {
      await assert.rejects(ask('SELECT nonsense FROM flows'), failsWith('query_failed', /nonsense/))
      await assert.rejects(ask('SELEC 1'), failsWith('query_failed', /Syntax error/))
    })

    it('answers several questions while blocks go in', async () => {
      const inserts = Array.from({ length: 10 }, (_, i) => flowBlock(200, 10_000 + i * 200))
      const inserting = (async () => {
        for (const block of inserts) await store.insert(block)
      })()
      const answers = Array.from({ length: 20 }, (_, i) =>
        ask('SELECT {i:UInt32} AS i, count() >= 1500 AS ok FROM flows', { i }),
      )
      assert.deepEqual(
        await Promise.all(answers),
        answers.map((_, i) => [{ i, ok: 1 }]),
      )
      await inserting
      assert.deepEqual(await ask('SELECT count() AS n FROM flows WHERE sequence >= 10000'), [{ n: 2000 }])
    })

    it('takes rows out that a block replaces, also when it is told so again, and no others', async () => {
      const waiting = numberedBlock(20, 50_000, 7_000_000_000_000)
      await store.insert(waiting)
      await store.insert(numberedBlock(5, 50_020, 0))
      const ids = Array.from({ length: 10 }, (_, i) => 7_000_000_000_000 + i * 2)
      const replaces = { ids, fromMs: T0, toMs: T0 + 19 }
      const better = { ...numberedBlock(10, 60_000, 0, 'token-better'), replaces }
      const held = () =>
        ask('SELECT sequence FROM flows WHERE sequence >= 50000 ORDER BY sequence', {}).then((rows) =>
          rows.map((row) => Number(row['sequence'])),
        )
      const odd = Array.from({ length: 10 }, (_, i) => 50_001 + i * 2)
      const rest = [50_020, 50_021, 50_022, 50_023, 50_024]
      const instead = Array.from({ length: 10 }, (_, i) => 60_000 + i)
      for (let again = 0; again < 3; again++) {
        await store.insert(better)
        assert.deepEqual(await held(), [...odd, ...rest, ...instead])
      }
      // Rows of that number that were received at another time are others.
      await store.insert({
        ...numberedBlock(1, 60_010, 0),
        replaces: { ids: ids.map((id) => id + 1), fromMs: 0, toMs: 1 },
      })
      assert.deepEqual(await held(), [...odd, ...rest, ...instead, 60_010])
    })
  })
}
