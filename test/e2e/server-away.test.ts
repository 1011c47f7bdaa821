/** A collector whose ClickHouse server is not there when it starts, against the real engine behind HTTP. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Front, openFront } from '../store/clickhouse-front.ts'
import { type Engine, openEngine } from '../store/engine.ts'
import { PCAPS } from '../paths.ts'
import { NO_ENGINE, collector, ovsight, temporary } from './cli.ts'
import { ALIASES, STORED, metric, send, until } from './exports.ts'

const ROWS = 41
const SERVERS = "SELECT count() FROM away.identity_now WHERE kind = 'server'"

describe('a server that is not there when the collector starts', { skip: NO_ENGINE }, () => {
  let engine: Engine
  let front: Front
  before(async () => {
    engine = await openEngine()
    front = await openFront(engine.session, engine.directory)
  })
  after(async () => {
    await front.close()
    engine.close()
  })
  const data = join(temporary(), 'data')
  const identity = `${PCAPS}netflow5/identity.yaml`
  const start = () =>
    collector(['--data', data, '--clickhouse', `${front.url}/away`, '--identity', identity, ...ALIASES])
  const ready = async (url: string) => {
    const response = await fetch(`${url}/readyz`)
    const { reasons } = (await response.json()) as { reasons?: string[] }
    return { status: response.status, reasons }
  }
  const inSpool = async (url: string, rows: number) => {
    await until('decoding', async () => (await metric(url, 'ovsight_rows_total{protocol="netflow5"}')) === rows)
    await until('the spool', async () => (await metric(url, 'ovsight_spool_blocks')) > 0)
  }

  it('is waited for: what comes meanwhile is in the spool, over a restart too, and then stored once', async () => {
    front.fault = () => 'cut-before'
    const first = await start()
    await send('netflow5', first.port('NetFlow'))
    await inSpool(first.url, ROWS)
    assert.deepEqual(await ready(first.url), { status: 503, reasons: ['store_unreachable'] })
    assert.equal(await metric(first.url, 'ovsight_store_ready'), 0)
    const ended = await first.stop()
    assert.equal(ended.code, 0, ended.stderr)
    const said = ended.stderr.split('\n').filter((line) => line.includes('does not answer'))
    assert.equal(said.length, 1, ended.stderr)
    assert.match(said[0]!, /is kept in .*spool, up to spool_max/)

    const second = await start()
    await send('netflow5', second.port('NetFlow'))
    // The server is back, with another password.
    front.password = 'changed'
    front.fault = () => undefined
    await until('the refusal', async () => (await ready(second.url)).reasons?.[0] === 'store_refused')
    const status = (await (await fetch(`${second.url}/api/v1/status`)).json()) as { store_fault: string }
    assert.match(status.store_fault, /Authentication failed/)
    front.password = ''
    await until('the store', async () => (await ready(second.url)).status === 200)
    assert.equal(await metric(second.url, 'ovsight_store_ready'), 1)
    await until('insertion', async () => (await metric(second.url, STORED)) === 2 * ROWS)
    // Who was what is written down on the server too, and asked by its views and its dictionary.
    await until('the identity history', async () => Number((await engine.rows(SERVERS))[0]![0]) === 6)
    const named = "dictGet('away.identity_names', 'name', src_server_id)"
    assert.deepEqual(
      await engine.rows(
        `SELECT countIf(${named} != src_server), countIf(${named} = 'red-1') > 0 FROM away.flows WHERE src_server_id != ''`,
      ),
      [['0', 1]],
    )
    const { code, stderr } = await second.stop()
    assert.equal(code, 0, stderr)
    assert.match(stderr, /the store answers, and refuses: .*Authentication failed/)
    assert.match(stderr, /the store answers and its tables are up to date/)
    assert.deepEqual(await engine.rows('SELECT count(), (SELECT sum(records) FROM away.flows_1h) FROM away.flows'), [
      [String(2 * ROWS), String(2 * ROWS)],
    ])
  })

  it('that answers and refuses ends the start, with its own words', async () => {
    front.password = 'other'
    const { code, stderr } = await ovsight([
      'collect',
      ...['--data', data, '--clickhouse', `${front.url}/away`, '--bind', '127.0.0.1', '--gre', 'off'],
      ...['netflow', 'ipfix', 'sflow', 'vxlan', 'http'].flatMap((name) => [`--${name}-port`, '0']),
    ])
    front.password = ''
    assert.equal(code, 7)
    assert.match(stderr, /Authentication failed/)
  })
})
