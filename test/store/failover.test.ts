/** Several servers: which is asked, what becomes of one that fails; TLS and credentials. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { agentFor } from '../../src/store/agent.ts'
import { ClickHouseStore } from '../../src/store/clickhouse.ts'
import { EngineError } from '../../src/store/engine-error.ts'
import { onOneOf } from '../../src/store/failover.ts'
import { Server, Unanswered } from '../../src/store/server.ts'
import { parseServerUrls } from '../../src/store/server-url.ts'
import { type Shard, findShards, shardOfToken } from '../../src/store/shards.ts'
import { ROOT } from '../paths.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { openFront } from './clickhouse-front.ts'
import { failsWith } from './contract.ts'
import { NO_ENGINE, openEngine } from './engine.ts'
import { temporaryDirectory } from './temporary.ts'

const TLS = `${ROOT}test/store/tls/`
const server = (name: string) =>
  new Server({ url: `http://${name}:8123/`, username: 'u', password: '', database: 'd', name }, {})
const gone = new Unanswered('store_unreachable', 'gone')

describe('one of several servers', () => {
  it('is the first that is well; one that failed comes last for longer and longer, and takes its place again', async () => {
    const [a, b] = [server('a'), server('b')]
    let nowMs = 1_000_000
    let down = true
    const asked: string[] = []
    const ask = () =>
      onOneOf(
        [a, b],
        ({ name }) => {
          asked.push(name)
          return down && name === 'a' ? Promise.reject(gone) : Promise.resolve(name)
        },
        () => nowMs,
      )
    assert.equal(await ask(), 'b')
    assert.equal(await ask(), 'b')
    assert.deepEqual(asked, ['a', 'b', 'b'])
    for (let failures = 1; failures < 8; failures++) {
      nowMs = a.downUntilMs + 1
      const before = asked.length
      await ask()
      assert.deepEqual(asked.slice(before), ['a', 'b'])
    }
    assert.ok(a.downUntilMs - nowMs > 25_000 && a.downUntilMs - nowMs <= 60_000)
    down = false
    assert.equal(await ask(), 'b')
    nowMs = a.downUntilMs + 1
    assert.equal(await ask(), 'a')
    assert.equal(a.failures, 0)
  })

  it('is asked even when all have failed lately, and what each says is told', async () => {
    const servers = [server('a'), server('b')]
    const work = ({ name }: Server) => Promise.reject(new Unanswered('store_unreachable', `${name} is gone`))
    for (let again = 0; again < 2; again++)
      await assert.rejects(
        onOneOf(servers, work),
        failsWith('store_unreachable', /(a is gone; b is gone|b is gone; a is gone)/),
      )
  })

  it('is another one when it is read-only or full, but not when the question is at fault', async () => {
    const servers = [server('a'), server('b')]
    const say = (code: number) => (one: Server) =>
      one.name === 'a' ? Promise.reject(new EngineError(`Code: ${code}. DB::Exception: no`)) : Promise.resolve('b')
    assert.equal(await onOneOf(servers, say(242)), 'b')
    servers[0]!.well()
    await assert.rejects(onOneOf(servers, say(62)), (error) => error instanceof EngineError && error.engineCode === 62)
    assert.equal(servers[0]!.failures, 0)
  })
})

describe('the shard of a block', () => {
  const shards = (weights: readonly number[]): Shard[] =>
    weights.map((weight, i) => ({ number: i + 1, weight, servers: [] }))
  const count = (all: Shard[]) => {
    const counts = all.map(() => 0)
    for (let i = 0; i < 6_000; i++) counts[shardOfToken(`token-${i}`, all)!.number - 1]!++
    return counts
  }

  it('is the same each time, by weight, and moves only to a shard that is new', () => {
    const [one, two] = count(shards([1, 2]))
    assert.ok(Math.abs(one! - 2_000) < 150 && (one ?? 0) + (two ?? 0) === 6_000, `${one} ${two}`)
    const [before, later] = [shards([1, 1, 1]), shards([1, 1, 1, 1])]
    for (let i = 0; i < 1_000; i++) {
      const [was, is] = [shardOfToken(`t-${i}`, before)!.number, shardOfToken(`t-${i}`, later)!.number]
      assert.ok(is === was || is === 4)
    }
  })

  const hosts = [
    ['main', 1, 1, 'ch1', '10.0.0.1', 0],
    ['main', 2, 1, 'ch2', '10.0.0.2', 0],
    ['other', 1, 1, 'ch9', '10.0.0.9', 0],
  ] as const
  const answer = (here?: number) => ({
    columns: [],
    elapsedS: 0,
    rowsRead: 0,
    rows: hosts.map(([cluster, shard, weight, host, address], i) => ({
      cluster,
      shard,
      weight,
      host,
      address,
      here: i === here ? 1 : 0,
    })),
  })

  it('is found by what each server says of itself, else by its name, else reached by the name the cluster has', async () => {
    const [a, b] = [server('balanced'), server('10.0.0.2')]
    const reach = (host: string) => server(`reached-${host}`)
    const found = async (says: (one: Server) => ReturnType<typeof answer>, servers = [a, b]) =>
      (await findShards({ cluster: 'main', servers, ask: (one) => Promise.resolve(says(one)), reach })).map(
        ({ number, servers: own }) => [number, own.map(({ name }) => name)],
      )
    assert.deepEqual(await found((one) => answer(one === a ? 0 : 1)), [[1, ['balanced']], [2, ['10.0.0.2']]]) // prettier-ignore
    assert.deepEqual(await found(() => answer()), [[1, ['reached-ch1']], [2, ['10.0.0.2']]]) // prettier-ignore
    assert.deepEqual(await found(() => answer(0), [a]), [[1, ['balanced']], [2, ['reached-ch2']]]) // prettier-ignore
  })
})

describe('URLs of several servers', () => {
  const temporary = temporaryDirectory()
  after(() => temporary.remove())

  it('take user, password and database from the first, else from file and environment', () => {
    const several = parseServerUrls('https://u:p,w@a:8443/db?x=1, https://v:q@b:8443,http://c', {})
    assert.deepEqual(several.map(({ url, username, password, database }) => [url, username, password, database]), [
      ['https://a:8443/?x=1', 'u', 'p,w', 'db'],
      ['https://b:8443/', 'v', 'q', 'db'],
      ['http://c/', 'u', 'p,w', 'db'],
    ]) // prettier-ignore
    const file = join(temporary.path, 'password')
    writeFileSync(file, 'from file\n')
    const environment = { CLICKHOUSE_USER: 'e', CLICKHOUSE_PASSWORD: 'ep' }
    const given = { clickhouse_user: 'o', clickhouse_password_file: file }
    const of = (text: string, ...rest: [typeof environment, typeof given?]) => {
      const [{ username, password } = { username: '', password: '' }] = parseServerUrls(text, ...rest)
      return [username, password]
    }
    assert.deepEqual(of('http://a', environment, given), ['o', 'from file'])
    assert.deepEqual(of('http://u:p@a', environment, given), ['u', 'p'])
    assert.deepEqual(of('http://a', environment), ['e', 'ep'])
    assert.throws(
      () => parseServerUrls('http://a', {}, { clickhouse_password_file: `${file}.gone` }),
      failsWith('file_unreadable', /clickhouse_password_file .*ENOENT/),
    )
    assert.throws(
      () => parseServerUrls('http://a/x,http://b/y', {}),
      failsWith('config_invalid', /two databases: x, y/),
    )
  })
})

describe('TLS to a server', { skip: NO_ENGINE }, () => {
  it('believes the certificate authority given, shows a certificate, and believes anybody only when told to', async () => {
    const engine = await openEngine()
    const pem = (name: string) => readFileSync(`${TLS}${name}`)
    const [cert, key, ca] = [pem('server.pem'), pem('server.key'), pem('ca.pem')]
    const front = await openFront(engine.session, engine.directory, { cert, key })
    const strict = await openFront(engine.session, engine.directory, { cert, key, ca, requestCert: true, rejectUnauthorized: true }) // prettier-ignore
    const count = async (url: string, options: Partial<ConstructorParameters<typeof ClickHouseStore>[0]>) => {
      const store = new ClickHouseStore({ url: `${url}/tls`, environment: {}, ...options })
      try {
        await store.migrate()
        await store.insert(flowBlock(10, 0, 'tls'))
        return (await store.query({ sql: COUNTS, params: {} })).rows[0]?.['rows']
      } finally {
        await store.close()
      }
    }
    const clickhouse_ca = `${TLS}ca.pem`
    await assert.rejects(count(front.url, {}), failsWith('store_unreachable', /certificate/))
    assert.equal(await count(front.url, { clickhouse_ca }), 10)
    assert.equal(await count(front.url, { clickhouse_insecure: true }), 10)
    await assert.rejects(
      count(strict.url, { clickhouse_ca }),
      failsWith('store_unreachable', /alert|ECONNRESET|hang up|EPIPE/i),
    )
    const own = { clickhouse_ca, clickhouse_cert: `${TLS}client.pem`, clickhouse_key: `${TLS}client.key` }
    assert.equal(await count(strict.url, own), 10)
    assert.throws(
      () => agentFor('https://a', { clickhouse_cert: own.clickhouse_cert }),
      failsWith('config_invalid', /belong together/),
    )
    await front.close()
    await strict.close()
    engine.close()
  })

  it('and a host that does not answer at all is given up soon', async () => {
    // RFC 5737: addresses that nobody has.
    const agent = agentFor('http://192.0.2.1', {}, 50)
    const socket = agent.createConnection({ host: '192.0.2.1', port: 8123 })
    const error = await new Promise<Error>((resolve) => socket!.once('error', resolve))
    assert.match(error.message, /no connection within 0\.05 s|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED/)
  })
})
