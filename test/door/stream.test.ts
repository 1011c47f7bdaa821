/** Answers while they are written: packed in every way, to clients that do not read, that go away, and through faults in the middle. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { createClient } from '@clickhouse/client'
import { packBlock, unpackBlocks } from '../../src/door/blocks.ts'
import { cityHash128 } from '../../src/door/city.ts'
import { compressLz4, decompressLz4 } from '../../src/door/lz4.ts'
import { type Door, openDoor } from '../../src/door/server.ts'
import { Slots } from '../../src/door/slots.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import { flowBlock } from '../store/blocks.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const run = promisify(execFile)
const PYTHON = `
import clickhouse_connect, sys
for packed in (True, False, 'zstd', 'lz4', 'gzip'):
    client = clickhouse_connect.get_client(host='127.0.0.1', port=int(sys.argv[1]), database='ovsight', compress=packed)
    rows = client.query('SELECT sequence, src_server FROM flows WHERE sequence = {n:UInt32}', parameters={'n': 7}).result_rows
    with client.query_rows_stream('SELECT number, toString(number) FROM numbers(100000)') as stream:
        print(rows, sum(1 for row in stream), client.ping())
`

describe('the door, streaming', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let store: ChdbStore
  let door: Door
  before(async () => {
    store = await ChdbStore.open({ directory: temporary.path })
    await store.migrate()
    await store.insert(flowBlock(1_000))
    door = await openDoor(store, { host: '127.0.0.1', port: 0 })
  })
  after(async () => {
    await door.close()
    await store.close()
    temporary.remove()
  })
  const ask = (sql: string, more: Record<string, string> = {}, headers: Record<string, string> = {}) =>
    fetch(`${door.url}/?${new URLSearchParams({ query: sql, ...more }).toString()}`, { headers })
  const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer())
  /** Past what fetch unpacks by itself. */
  const raw = async (sql: string, more: Record<string, string>, encoding: string) => {
    const socket = connect(Number(new URL(door.url).port), '127.0.0.1')
    const query = new URLSearchParams({ query: sql, ...more }).toString()
    socket.write(`GET /?${query} HTTP/1.0\r\nHost: x\r\nAccept-Encoding: ${encoding}\r\n\r\n`)
    const parts: Buffer[] = []
    for await (const part of socket) parts.push(part as Buffer)
    const all = Buffer.concat(parts)
    const split = all.indexOf('\r\n\r\n')
    return { head: all.subarray(0, split).toString().toLowerCase(), body: all.subarray(split + 4) }
  }
  const running = async () =>
    Number((await store.query({ sql: 'SELECT count() AS n FROM system.processes', params: {} })).rows[0]!['n']) - 1

  it('packs as the client takes it, and not without being asked', async () => {
    const sql = 'SELECT number FROM numbers(50000)'
    const plain = await bytesOf(await ask(sql))
    for (const [encoding, unpack] of [
      ['gzip', gunzipSync],
      ['deflate', inflateSync],
      ['br', brotliDecompressSync],
    ] as const) {
      const { head, body } = await raw(sql, { enable_http_compression: '1' }, encoding)
      assert.match(head, new RegExp(`content-encoding: ${encoding}`))
      assert.ok(unpack(body).equals(plain), encoding)
    }
    const zstd = await raw(sql, { enable_http_compression: '1' }, 'gzip, zstd')
    assert.match(zstd.head, /content-encoding: zstd/)
    assert.equal(zstd.body.readUInt32LE(0), 0xfd2fb528)
    const lz4 = await raw(sql, { enable_http_compression: '1' }, 'lz4')
    assert.equal(lz4.body.readUInt32LE(0), 0x184d2204)
    for (const [more, encoding] of [
      [{}, 'gzip'],
      [{ enable_http_compression: '1' }, 'gzip;q=0, identity'],
    ] as const)
      assert.ok((await raw(sql, more, encoding)).body.equals(plain))
  })

  it("packs and unpacks ClickHouse's own blocks", async () => {
    const sql = 'SELECT number, number * 7 FROM numbers(300000)'
    const packed = await bytesOf(await ask(sql, { compress: '1' }))
    const plain = await bytesOf(await ask(sql))
    assert.ok(packed.length < plain.length * 0.8, `${packed.length} of ${plain.length}`)
    assert.ok(unpackBlocks(packed, plain.length)!.equals(plain))
    const post = (body: Buffer) => fetch(`${door.url}/?decompress=1`, { method: 'POST', body: new Uint8Array(body) })
    assert.equal(await (await post(packBlock(Buffer.from('SELECT 41 + 1')))).text(), '42\n')
    const damaged = packBlock(Buffer.from('SELECT 41 + 1'))
    damaged[damaged.length - 1]! ^= 1
    const refused = await post(damaged)
    assert.match(await refused.text(), /^Code: 271\. DB::Exception: .*CANNOT_DECOMPRESS/)
  })

  it('reads the blocks that the engine itself has written: the checksums are the same', async () => {
    await store.run('CREATE TABLE ovsight.packed (a String CODEC(LZ4)) ENGINE = MergeTree ORDER BY tuple()')
    await store.run('INSERT INTO ovsight.packed SELECT repeat(toString(number), number % 50) FROM numbers(5000)')
    const { rows } = await store.query({
      sql: "SELECT path FROM system.parts WHERE table = 'packed' AND active",
      params: {},
    })
    const folder = join(temporary.path, 'db', String(rows[0]!['path']).replace(/^.*?\/db\//, ''))
    const files = readdirSync(folder).filter((name) => name.endsWith('.bin'))
    assert.ok(files.length > 0)
    for (const name of files) {
      const bytes = readFileSync(join(folder, name))
      for (let at = 0; at < bytes.length;) {
        const size = bytes.readUInt32LE(at + 17)
        const block = bytes.subarray(at, at + 16 + size)
        assert.ok(cityHash128(block.subarray(16)).equals(block.subarray(0, 16)), `${name} at ${at}`)
        if (block[16] === 0x82) assert.ok(unpackBlocks(block, 1 << 24) !== undefined, name)
        at += 16 + size
      }
    }
  })

  it('gives LZ4 back as it was, and takes nothing damaged for sound', () => {
    const texts = ['', 'a', 'abcdefghijklm', 'ab'.repeat(5_000), 'x'.repeat(70_000), JSON.stringify(flowBlock(50))]
    const random = Buffer.from(Array.from({ length: 3_000 }, (_, i) => (Math.imul(i + 1, 0x9e37_79b1) >>> 13) & 255))
    for (const content of [...texts.map((text) => Buffer.from(text)), random]) {
      const packed = compressLz4(content)
      assert.ok(decompressLz4(packed, content.length)!.equals(content))
      for (let cut = 0; cut < packed.length; cut += 1 + (packed.length >> 6))
        assert.equal(decompressLz4(packed.subarray(0, cut), content.length + 1), undefined)
      for (let at = 0; at < packed.length; at += 1 + (packed.length >> 6)) {
        const damaged = Buffer.from(packed)
        damaged[at]! ^= 0x5a
        assert.ok((decompressLz4(damaged, content.length)?.length ?? content.length) === content.length)
      }
    }
  })

  it('gives Native of a protocol revision: block info, a byte after each type, the same values', async () => {
    const sql =
      "SELECT number AS n, toString(number) AS s, toLowCardinality(toString(number % 3)) AS l, [number, 1] AS a, CAST((number, 'x'), 'Tuple(a UInt64, b String)') AS t, " +
      "map('k', toNullable(number)) AS m, toLowCardinality(toNullable('z')) AS ln, toDecimal64(1, 2) AS d, src_addr, flow_end, role FROM numbers(3) AS g CROSS JOIN (SELECT * FROM flows LIMIT 1) AS f FORMAT Native"
    const zero = await bytesOf(await ask(sql, { max_threads: '1' }))
    const answer = await bytesOf(await ask(sql, { client_protocol_version: '54460', max_threads: '1' }))
    const older = await bytesOf(await ask(sql, { client_protocol_version: '54400', max_threads: '1' }))
    const info = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0])
    assert.ok(answer.subarray(0, 8).equals(info))
    assert.ok(Buffer.concat([info, zero]).equals(older) || older.length > zero.length)
    const columns = zero[0]!
    assert.equal(columns, 11)
    assert.equal((answer.length - zero.length - 8) % (columns + 8), columns)
    // After the name and the type of the first column.
    assert.equal(answer.subarray(8, 20).toString('latin1'), '\x0b\x03\x01n\x06UInt64\0')
  })

  it('tells in the headers what it knows, and the version with every error', async () => {
    const { headers } = await ask('SELECT count() FROM flows', { query_id: 'mine', session_timezone: 'Asia/Tokyo' })
    assert.equal(headers.get('x-clickhouse-query-id'), 'mine')
    assert.equal(headers.get('x-clickhouse-timezone'), 'Asia/Tokyo')
    assert.equal(headers.get('x-clickhouse-format'), 'TabSeparated')
    assert.equal(headers.get('x-clickhouse-server-display-name'), 'ovsight')
    const { read_rows, result_bytes } = JSON.parse(headers.get('x-clickhouse-summary')!) as Record<string, string>
    assert.ok(Number(read_rows) >= 1)
    assert.equal(result_bytes, '5')
    const wrong = await ask('SELECT nothing')
    assert.equal(wrong.status, 404)
    assert.match(
      await wrong.text(),
      /^Code: 47\. DB::Exception: .*\(UNKNOWN_IDENTIFIER\) \(version \d+\.\d+[\d.]*\)\n$/s,
    )
    assert.equal((await fetch(`${door.url}/play`)).status, 404)
  })

  it('takes FORMAT from the query wherever it may stand, with settings before and after it', async () => {
    const asked = async (sql: string) => (await ask(sql)).text()
    assert.equal(await asked('SELECT 1 AS a SETTINGS max_threads = 1 FORMAT CSV'), '1\n')
    assert.equal(await asked('SELECT 1 AS a FORMAT CSVWithNames SETTINGS max_threads = 1;'), '"a"\n1\n')
    assert.equal(await asked('(SELECT 1) UNION ALL (SELECT 1) FORMAT CSV -- the end'), '1\n1\n')
    assert.equal(await asked('EXPLAIN AST SELECT 1 FORMAT CSV').then((text) => text.length > 20), true)
    assert.equal(await asked("SELECT 'FORMAT JSON' AS format"), 'FORMAT JSON\n')
    assert.equal(await asked('SHOW TABLES FORMAT CSV').then((text) => text.includes('"flows"')), true)
    assert.equal(await asked('SELECT 1 WHERE 0'), '')
  })

  it('holds no more than a pipe of an answer that is not read, and lets the engine go', async () => {
    const sql = 'SELECT number, repeat(toString(number), 10) FROM numbers(50000000)'
    const rss = process.memoryUsage().rss
    const socket = connect(Number(new URL(door.url).port), '127.0.0.1')
    socket.write(`GET /?query=${encodeURIComponent(sql)} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await once(socket, 'readable')
    await sleep(1_500)
    assert.ok(process.memoryUsage().rss - rss < 64 * 1024 ** 2, 'memory stays')
    assert.equal(await (await ask('SELECT 1')).text(), '1\n')
    assert.equal(await running(), 1)
    socket.destroy()
    for (let i = 0; i < 100 && (await running()) > 0; i++) await sleep(50)
    assert.equal(await running(), 0)
    assert.equal(await (await ask('SELECT 2')).text(), '2\n')
  })

  it('tells the client of a fault in the middle of an answer', async () => {
    const sql =
      "SELECT number, toUInt8(if(number = 300000, 'x', '1')) FROM numbers(400000) SETTINGS max_threads = 1, max_block_size = 1000"
    const client = createClient({ url: door.url, database: 'ovsight' })
    const result = await client.query({ query: sql, format: 'JSONCompactEachRow' })
    let rows = 0
    await assert.rejects(async () => {
      for await (const part of result.stream()) rows += (part as unknown[]).length
    }, /Cannot parse/i)
    assert.ok(rows > 1_000)
    await client.close()
    assert.equal((await ask(sql, { wait_end_of_query: '1' })).status, 400)
  })

  it('answers many at a time in turn, and refuses more than that', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => ask(`SELECT ${i}`).then((answer) => answer.text())),
    )
    assert.deepEqual(
      answers,
      answers.map((_, i) => `${i}\n`),
    )
    const slots = new Slots(1, { most: 1, waitMs: 20 })
    const release = await slots.take()
    const second = slots.take()
    await assert.rejects(slots.take(), { code: 202 })
    await assert.rejects(second, { code: 202 })
    release()
    release()
    const third = await slots.take()
    await assert.rejects(slots.take(), { code: 202 })
    third()
  })

  it('answers the Python client', async (t) => {
    const python = process.env['PYTHON'] ?? 'python3'
    try {
      await run(python, ['-c', 'import clickhouse_connect'])
    } catch {
      return t.skip(`${python} has no clickhouse_connect; pip install clickhouse-connect, or name one by PYTHON`)
    }
    const { stdout } = await run(python, ['-c', PYTHON, new URL(door.url).port])
    assert.deepEqual(new Set(stdout.trim().split('\n')), new Set(["[(7, 'vm-7')] 100000 True"]))
  })
})
