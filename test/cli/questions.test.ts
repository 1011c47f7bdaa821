import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import stringWidth from 'string-width'
import { buildApi, listenApi } from '../../src/api/server.ts'
import { AppError } from '../../src/errors.ts'
import { writeCollectorNote } from '../../src/cli/collector-note.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { Engine } from '../query/engine.ts'
import { RECORDS, T0 } from '../query/records.ts'
import { run, type Surroundings } from './run.ts'
import { NO_ENGINE } from '../store/engine.ts'

describe('ovsight top and flows', { skip: NO_ENGINE }, () => {
  let engine: Engine
  let data: string
  let here: Surroundings
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
    data = mkdtempSync(join(tmpdir(), 'ovsight-'))
    here = { engine, now: T0 + 60_000 }
  })
  after(async () => {
    await engine.close()
    rmSync(data, { recursive: true })
  })
  const ask = (words: string[], more: Surroundings = {}) => run([...words, '--data', data], { ...here, ...more })

  it('give JSON with exact numbers and nothing else on standard output', async () => {
    const { stdout, stderr } = await ask(['top', 'server', '-f', 'json'])
    const rows = JSON.parse(stdout) as Record<string, unknown>[]
    assert.deepEqual(Object.keys(rows[0]!).slice(0, 6), ['server', 'server_id', 'project', 'sent_bytes', 'received_bytes', 'bytes']) // prettier-ignore
    assert.equal(rows[0]?.['bytes'], 6247)
    assert.equal(stderr, '')
  })

  it('give an empty array when there is nothing, and say why beside it', async () => {
    const { stdout, stderr } = await ask(['flows', '-f', 'json', '--filter', 'vlan 9'])
    assert.equal(stdout, '[]\n')
    assert.match(stderr, /^ovsight: none of the 9 records .* matches\n$/)
  })

  it('say on standard error which span holds data', async () => {
    const { stdout, stderr } = await ask(['top', 'project', '-f', 'csv'], { now: T0 + 864e5 })
    assert.equal(stdout.split('\r\n').length, 4)
    assert.match(stderr, /no records in the last 15 minutes; this is all there is, 2026-01-01 00:00:00 to/)
  })

  it('write CSV as RFC 4180 says', async () => {
    const odd = { flow_end: T0 + 50, src_server: 'a "quoted", name\nof two lines', src_server_id: 'x', counts_once: 1 }
    await engine.insert([odd])
    const { stdout } = await ask(['flows', '-n', '1', '-f', 'csv', '--filter', 'src server x'])
    const [head, ...rest] = stdout.split('\r\n')
    assert.deepEqual(head?.split(','), [...COLUMN_NAMES, 'id'])
    assert.match(rest.join('\r\n'), /,"a ""quoted"", name\nof two lines",/)
  })

  for (const terminal of [60, 80, 160])
    it(`fit a terminal of ${terminal} columns`, async () => {
      for (const words of [['top', 'server'], ['top', 'src_server', 'dst_server', 'ip_protocol'], ['flows']]) {
        const { stdout } = await ask(words, { terminal, env: { NO_COLOR: '1' } })
        for (const line of stdout.split('\n')) assert.ok(stringWidth(line) <= terminal, line)
        assert.ok(!stdout.includes('\u001B'))
      }
    })

  it('use colour on a terminal alone', async () => {
    assert.ok((await ask(['top'], { terminal: 80 })).stdout.startsWith('\u001B[1mserver'))
    assert.ok(!(await ask(['top'])).stdout.includes('\u001B'))
  })

  it('show at 80 columns who, and what they sent and received', async () => {
    const { stdout } = await ask(['top', 'server', '--filter', 'project red or project blue'], {
      terminal: 80,
      env: { NO_COLOR: '1' },
    })
    assert.deepEqual(stdout.split('\n').slice(0, 4), [
      'server  project  sent_bytes  received_bytes    bytes  share              packets',
      'web     red         1.04 kB         5.21 kB  6.25 kB  100 %  ██████████        5',
      'web     blue        5.00 kB             3 B  5.00 kB   80 %  ████████          2',
      'db      red           200 B         1.00 kB  1.20 kB   19 %  █▉                2',
    ])
  })

  it('show ids where two of one project have the same name', async () => {
    await engine.insert([
      { flow_end: T0 + 100, src_server: 'twin', src_server_id: 'aaaaaaaa-1', counts_sent: 1, counts_once: 1, bytes: 1 },
    ])
    await engine.insert([
      { flow_end: T0 + 100, src_server: 'twin', src_server_id: 'bbbbbbbb-2', counts_sent: 1, counts_once: 1, bytes: 2 },
    ])
    const { stdout } = await ask(['top', '--filter', 'server like twin'], { terminal: 80, env: { NO_COLOR: '1' } })
    assert.match(stdout, /twin +bbbbbbbb-2 .*\ntwin +aaaaaaaa-1 /)
  })

  it('ask which is meant where several have the name of the filter', async () => {
    const { error, stdout } = await ask(['flows', '--filter', 'server web'])
    assert.equal(error?.code, 'name_ambiguous')
    assert.match(error.message, /2 servers are called "web"/)
    assert.deepEqual(error.details, ['server s-blue-web   of project blue', 'server s-red-web   of project red'])
    assert.equal(stdout, '')
    for (const filter of ['server s-red-web', 'project red and server web', 'server like web'])
      assert.equal((await ask(['flows', '--filter', filter])).error, undefined, filter)
  })

  it('write the columns asked for, sorted, in every format', async () => {
    const words = ['top', 'project', '-c', 'bytes', '-c', 'project', '--sort-column', 'bytes', '-f']
    const only = ['--filter', 'project in [red, blue]']
    assert.equal((await ask([...words, 'value', ...only])).stdout, '5003 blue\n6247 red\n')
    assert.equal((await ask([...words, 'csv', ...only])).stdout, 'bytes,project\r\n5003,blue\r\n6247,red\r\n')
    assert.equal((await ask([...words, 'yaml', ...only])).stdout, '- bytes: 5003\n  project: blue\n- bytes: 6247\n  project: red\n') // prettier-ignore
    assert.equal((await ask([...words, 'json', ...only])).stdout, '[\n{"bytes":5003,"project":"blue"},\n{"bytes":6247,"project":"red"}\n]\n') // prettier-ignore
    assert.equal((await ask([...words, 'value', '--sort-descending', ...only])).stdout, '6247 red\n5003 blue\n')
    const table = await ask([...words, 'table', '--with', 'none', ...only])
    assert.equal(table.stdout, '  bytes  project\n5.00 kB  blue\n6.25 kB  red\n')
    const wrong = await ask(['top', '-c', 'byte'])
    assert.equal(wrong.error?.code, 'column_unknown')
    assert.match(wrong.error.message, /did you mean bytes/)
  })

  it('cut cells and leave no column out with --fit-width', async () => {
    const { stdout } = await ask(['flows', '--fit-width', '-n', '3'], { terminal: 100, env: { NO_COLOR: '1' } })
    const [head = '', ...lines] = stdout.split('\n')
    assert.match(head, /^time +pr.*dst.*$/)
    for (const line of [head, ...lines]) assert.ok(stringWidth(line) <= 100, line)
  })

  it('find mistakes before anything is opened', async () => {
    for (const [words, code] of [
      [['top', 'servr'], 'column_unknown'],
      [['top', '--by', 'octets'], 'column_unknown'],
      [['flows', '--filter', 'sever web'], 'filter_invalid'],
      [['flows', '--last', 'long'], 'time_invalid'],
      [['flows', '-n', 'many'], 'usage'],
      [['flows', '-f', 'xml'], 'usage'],
    ] as const) {
      const { error, stdout } = await run([...words, '--data', '/nowhere'], { now: T0 })
      assert.equal(error?.code, code, words.join(' '))
      assert.equal(error.exitCode, 2)
      assert.equal(stdout, '')
    }
  })

  it('say that there is no data directory, and make none', async () => {
    const { error } = await run(['top', '--data', join(data, 'none')], here)
    assert.equal(error?.code, 'file_unreadable')
    assert.match(error.message, /ovsight collect or ovsight replay/)
  })

  it('wait for another question that holds the data directory', async () => {
    let tries = 0
    const locked = () => (++tries < 3 ? new AppError('data_dir_locked', 'process 1 holds it') : undefined)
    assert.match((await ask(['top', '-f', 'json'], { locked })).stdout, /^\[\n\{/)
    assert.equal(tries, 3)
  })

  it('ask the collector that runs on the data directory, and get the same', async () => {
    const app = buildApi({ store: engine.store, metricsText: () => '', now: () => T0 + 60_000 })
    const local = await ask(['top', 'server', '--filter', 'project red', '-f', 'json', '--last', '1h'])
    const flows = await ask(['flows', '-f', 'csv', '--last', '1h'])
    writeCollectorNote(data, await listenApi(app, '127.0.0.1', 0))
    const asked = { now: T0 + 60_000 }
    assert.deepEqual(
      await run(['top', 'server', '--filter', 'project red', '-f', 'json', '--last', '1h', '--data', data], asked),
      local,
    )
    assert.deepEqual(await run(['flows', '-f', 'csv', '--last', '1h', '--data', data], asked), flows)
    const far = await run(['flows', '-f', 'csv', '--from', '2020-01-01', '--to', '2020-01-02', '--data', data], asked)
    assert.equal(far.stdout.split(',')[0], 'flow_end')
    assert.match(far.stderr, /there are from 2026-01-01/)
    await app.close()
    // The note is stale now: nobody answers there.
    assert.equal((await ask(['top', '-f', 'json', '--last', '1h'])).error, undefined)
    rmSync(join(data, 'collector.json'))
  })

  it('ignore a note that is torn, of a process that is gone, or answered by somebody else', async () => {
    const other = buildApi({ store: engine.store, metricsText: () => '' })
    other.addHook('onSend', (_request, _reply, payload, done) =>
      done(null, String(payload).replace(/"pid":\d+/, '"pid":1')),
    )
    const url = await listenApi(other, '127.0.0.1', 0)
    for (const note of [
      '{"pid": 12',
      '[]',
      '{"pid":2147483647,"url":"http://127.0.0.1:9"}',
      JSON.stringify({ pid: process.pid, url }),
      '{"pid":1,"url":"file:///etc/passwd"}',
    ]) {
      writeFileSync(join(data, 'collector.json'), note)
      assert.match((await ask(['top', '-f', 'json'])).stdout, /^\[\n\{/, note)
    }
    rmSync(join(data, 'collector.json'))
    await other.close()
  })
})
