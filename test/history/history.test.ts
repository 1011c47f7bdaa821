/** Who was what, and when: written down from the model as it changes, asked by name for a time that is past. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { HistoryKeeper, type HistorySources } from '../../src/history/keeper.ts'
import { forgetHistory } from '../../src/history/retention.ts'
import type { Named } from '../../src/history/states.ts'
import { askHistory } from '../../src/query/history.ts'
import { identityDictionary } from '../../src/schema/identity-tables.ts'
import type { RowBlock } from '../../src/schema/rows.ts'
import { ChdbStore } from '../../src/store/chdb.ts'
import { network, port, sections, server } from '../identity/replica-cloud.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const T0 = Date.UTC(2026, 0, 31, 8)
const HOUR = 3_600_000
const MAC = 'fa:16:3e:00:00:01'

const cloud = (given: object): Named => sections(given)
const PROJECT = { id: 'project-red-1', name: 'red' }
const NETWORK = network('n1', { project_id: PROJECT.id })
const PORT = port('port-1', 'n1', '192.168.10.8', MAC, { project_id: PROJECT.id })
const SERVER = { ...server('port-1'), tenant_id: PROJECT.id, name: 'web-1' }
const FULL = cloud({ projects: [PROJECT], networks: [NETWORK], ports: [PORT], servers: [SERVER] })

describe('the identity history', { skip: NO_ENGINE }, () => {
  const temporary = temporaryDirectory()
  let store: ChdbStore
  let token = 0
  let model = FULL
  let version = 0
  let whole = true
  const faults: string[] = []
  const written: RowBlock[] = []
  const since = new Map<string, number>()
  const sources: HistorySources = {
    get store() {
      return store
    },
    model: () => model,
    version: () => version,
    whole: () => whole,
    sinceOf: (id) => since.get(id),
    onBlock: (block) => void written.push(block),
    onFault: (error) => void faults.push(error.message),
  }
  const keep = async (keeper: HistoryKeeper, nowMs: number) => {
    version++
    await keeper.tick(nowMs)
    const blocks = written.splice(0)
    for (const block of blocks) await store.insert({ ...block, token: `history-${token++}` })
    return blocks.reduce((sum, { rows }) => sum + rows, 0)
  }
  const asked = async (request: object, nowMs = T0 + 100 * HOUR) =>
    (await askHistory(store, request, nowMs)).rows.map(({ kind, name, valid_from: from, valid_to: to }) =>
      [kind, name, hours(from), hours(to)].join(' '),
    )
  const hours = (value: unknown) => (value === '' ? '…' : (Date.parse(String(value)) - T0) / HOUR)
  const keeper = new HistoryKeeper(sources)

  before(async () => {
    store = await ChdbStore.open({ directory: temporary.path })
    await store.migrate()
  })
  after(async () => {
    await store.close()
    temporary.remove()
  })

  it('begins with what holds, and writes nothing while nothing changes', async () => {
    assert.equal(await keep(keeper, T0), 4)
    assert.equal(await keep(keeper, T0 + HOUR), 0)
    assert.equal(keeper.size, 4)
    assert.deepEqual(await asked({ of: 'web-1' }), ['server web-1 0 …'])
  })

  it('ends what a new name, host or owner replaces, and begins that at the time the cloud tells', async () => {
    model = cloud({
      projects: [PROJECT],
      networks: [NETWORK],
      ports: [{ ...PORT, 'binding:host_id': 'c1' }],
      servers: [{ ...SERVER, name: 'web-2' }],
    })
    since.set('port-1', T0 + HOUR)
    assert.equal(await keep(keeper, T0 + 2 * HOUR), 4)
    assert.deepEqual(await asked({ of: 'vm-port-1', kind: 'server' }), ['server web-2 2 …', 'server web-1 0 2'])
    const ports = (await askHistory(store, { of: 'port-1' }, T0)).rows
    assert.deepEqual(
      ports.map(({ host, valid_from, valid_to }) => [host, hours(valid_from), hours(valid_to)]),
      [
        ['c1', 1, '…'],
        ['c0', 0, 1],
      ],
    )
  })

  it('answers by name, id, address and MAC address for a time that is past', async () => {
    const at = new Date(T0 + 1.5 * HOUR).toISOString()
    assert.deepEqual(await asked({ of: 'web-1', at }), ['server web-1 0 2'])
    assert.deepEqual(await asked({ of: 'web-2', at }), [])
    for (const of of ['192.168.10.8', MAC, 'port-1']) assert.deepEqual(await asked({ of, at }), ['port  1 …'], of)
    assert.deepEqual(await asked({ of: 'project-red', kind: 'project', at }), ['project red 0 …'])
    await assert.rejects(askHistory(store, { at: 'soon' }, T0), { code: 'time_invalid' })
    await assert.rejects(askHistory(store, { kind: 'hosts' }, T0), { code: 'usage' })
    const { notes } = await askHistory(store, { at: '2020-01-01' }, T0)
    assert.match(notes[0]!, /^the history begins at 2026-01-31T08:00:00/)
  })

  it('goes on where another process ended: what holds is not written again', async () => {
    assert.equal(await keep(new HistoryKeeper(sources), T0 + 3 * HOUR), 0)
  })

  it('takes what another collector has written of the same change for its own', async () => {
    const [one, other] = [new HistoryKeeper(sources), new HistoryKeeper(sources)]
    await keep(one, T0 + 3 * HOUR)
    await keep(other, T0 + 3 * HOUR)
    model = cloud({ ...model, servers: [{ ...SERVER, name: 'web-3' }] })
    assert.equal(await keep(one, T0 + 4 * HOUR), 2)
    assert.equal(await keep(other, T0 + 4 * HOUR + 5_000), 0)
  })

  it('ends what is gone, but not before every source has answered', async () => {
    const last = new HistoryKeeper(sources)
    whole = false
    model = cloud({ projects: [PROJECT] })
    assert.equal(await keep(last, T0 + 5 * HOUR), 0)
    whole = true
    assert.equal(await keep(last, T0 + 6 * HOUR), 3)
    assert.deepEqual(await asked({ kind: 'server' }), ['server web-3 4 6', 'server web-2 2 4', 'server web-1 0 2'])
    assert.deepEqual(faults, [])
  })

  it('is a view of now, a view of a time, and a dictionary', async () => {
    await store.run(identityDictionary({ database: store.database }))
    const { rows } = await store.query({
      sql:
        `SELECT (SELECT count() FROM identity_now) AS now, (SELECT groupArray(name) FROM identity_at(at = '2026-01-31 09:30:00') WHERE kind = 'server') AS past, ` +
        `dictGet('ovsight.identity_names', 'name', 'project-red-1') AS name`,
      params: {},
    })
    assert.deepEqual(rows, [{ now: 1, past: ['web-1'], name: 'red' }])
  })

  it('forgets the past when it is told, whole states at a time, and what holds never', async () => {
    assert.equal(await forgetHistory(store, T0 + 4.5 * HOUR), 3)
    assert.deepEqual(await asked({}), ['server web-3 4 6', 'port  1 6', 'project red 0 …', 'network net-n1 0 6'])
    await store.run('OPTIMIZE TABLE ovsight.identity_history FINAL')
    assert.equal(await forgetHistory(store, Number.MAX_SAFE_INTEGER), 3)
    assert.equal(await forgetHistory(store, Number.MAX_SAFE_INTEGER), 0)
    assert.deepEqual(await asked({}), ['project red 0 …'])
  })
})
