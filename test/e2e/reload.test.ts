import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PCAPS } from '../paths.ts'
import { NO_ENGINE, answer, collector, ovsight, temporary } from './cli.ts'
import { metric, until } from './exports.ts'

const RECORDS = 10

interface Status {
  pid: number
  configuration: { reloads: number; failures: number; faults: string[]; pending: string[] }
}

async function status(url: string): Promise<Status> {
  return (await (await fetch(`${url}/api/v1/status`)).json()) as Status
}

/** Sends NetFlow v5 in sequence, some hundred datagrams a second, until it is told to stop; how many. */
async function sending(port: number, go: { on: boolean }): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind(0, '127.0.0.31', done))
  const bytes = Buffer.alloc(24 + RECORDS * 48)
  bytes.set([0, 5, 0, RECORDS])
  let sent = 0
  while (go.on) {
    for (let i = 0; i < 8; i++, sent++) {
      bytes.writeUInt32BE(Math.floor(Date.now() / 1000), 8)
      bytes.writeUInt32BE(sent * RECORDS, 16)
      await new Promise((done) => socket.send(bytes, port, '127.0.0.1', done))
    }
    await sleep(10)
  }
  socket.close()
  return sent
}

/** Datagrams of one that may not send: more than a gate holds, so the kernel drops most of them there. */
const REFUSED = 1_000

async function refusedOnes(port: number): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind(0, '127.0.0.32', done))
  for (let i = 0; i < REFUSED; i++)
    await new Promise((done) => socket.send(Buffer.from([0, 5]), port, '127.0.0.1', done))
  socket.close()
}

describe('a collector that is told to read its configuration again', { skip: NO_ENGINE }, () => {
  for (const workers of [1, 2])
    it(`loses no datagram by it, however often (workers ${workers})`, async () => {
      const directory = temporary()
      const file = join(directory, 'ovsight.yaml')
      const identity = join(directory, 'cloud.yaml')
      const write = (round: number) => {
        const cloud = readFileSync(`${PCAPS}ipfix/identity.yaml`, 'utf8').replaceAll(
          /(?<=[ /])ovsdb-/g,
          `${PCAPS}ipfix/ovsdb-`,
        )
        writeFileSync(identity, `${cloud}\n# ${'x'.repeat(round)}\n`)
        const turn = round % 2 === 0
        const lines = [`identity: ${identity}`, `workers: ${workers}`, `allow: [${turn ? '127.0.0.0/8' : '127.0.0.31'}]`, `keep_flows: ${round === 0 ? 10 : 20}d`, `log_level: ${turn ? 'info' : 'debug'}`, `identity_grace: ${round + 1}m`, `exporter_limit: ${turn ? 0 : 1_000_000}`, `flush_after: 200ms`] // prettier-ignore
        writeFileSync(file, lines.join('\n'))
      }
      write(0)
      const running = await collector(['--config', file, '--data', join(directory, 'data'), '--receive-buffer', '4MiB'])
      const { pid } = await status(running.url)
      const go = { on: true }
      const sent = sending(running.port('NetFlow'), go)
      for (let round = 1; round <= 3; round++) {
        write(round)
        process.kill(pid, 'SIGHUP')
        await until('a reload', async () => (await status(running.url)).configuration.reloads === round)
      }
      go.on = false
      const datagrams = await sent
      assert.ok(datagrams > 100, `${datagrams} sent`)
      const seen = () => metric(running.url, 'ovsight_rows_total{protocol="netflow5"}')
      await until('reception', async () => (await seen()) === datagrams * RECORDS)
      assert.equal(await metric(running.url, 'ovsight_datagrams_dropped_total{reason="not_allowed"}'), 0)
      assert.equal(await metric(running.url, 'ovsight_receive_kernel_drops_total{listener="netflow"}'), 0)
      assert.deepEqual((await status(running.url)).configuration.faults, [])
      await refusedOnes(running.port('NetFlow'))
      const refused = () => metric(running.url, 'ovsight_datagrams_dropped_total{reason="not_allowed"}')
      await until('the refused are counted', async () => (await refused()) === REFUSED)
      assert.equal(await metric(running.url, 'ovsight_senders_refused'), 1)
      assert.equal(await metric(running.url, 'ovsight_receive_kernel_drops_total{listener="netflow"}'), 0)
      assert.equal(
        await metric(running.url, 'ovsight_receive_datagrams_total{listener="netflow"}'),
        datagrams + REFUSED,
      )
      const { code, stderr } = await running.stop()
      assert.equal(code, 0, stderr)
      const [row] = await answer<{ records: number; percent: number; lost: number; limited: number }>([
        'exporters',
        '--data',
        join(directory, 'data'),
      ])
      assert.deepEqual([row?.records, row?.lost, row?.percent, row?.limited], [datagrams * RECORDS, 0, 100, 0])
    })

  it('keeps the old one when the new one is wrong, and names what waits for a restart', async () => {
    const directory = temporary()
    const file = join(directory, 'ovsight.yaml')
    const data = join(directory, 'data')
    writeFileSync(file, 'allow: [127.0.0.0/8]\nclickhouse_port: off\n')
    const running = await collector(['--config', file, '--data', data])
    const { pid } = await status(running.url)
    const reload = async (text: string, done: (now: Status['configuration']) => boolean) => {
      writeFileSync(file, text)
      process.kill(pid, 'SIGHUP')
      await until('the reload', async () => done((await status(running.url)).configuration))
      return (await status(running.url)).configuration
    }
    const options = async () => {
      const rows = await answer<Record<string, string>>(['show', 'config', '--running', '--data', data])
      return Object.fromEntries(rows.map(({ option, value, origin, pending }) => [option, { value, origin, pending }]))
    }
    const wrong = await reload('allow: [here]\nbatch_rows: 1\nallows: 1\n', ({ failures }) => failures === 1)
    assert.equal(wrong.faults.length, 3)
    assert.match(wrong.faults.join(), /allows: no such option.* allow: .*batch_rows: /s)
    const missing = await reload('identity: /none.yaml\n', ({ failures }) => failures === 2)
    assert.match(missing.faults.join(), /none\.yaml/)
    assert.deepEqual((await options())['allow'], { value: '127.0.0.0/8', origin: `${file}:1`, pending: '' })
    const right = await reload(
      'keep_flows: 3d\nallow: [10.0.0.0/8]\nmax_streams: 100\n',
      ({ reloads }) => reloads === 1,
    )
    assert.deepEqual([right.faults, right.pending], [[], ['max_streams']])
    const shown = await options()
    assert.deepEqual(shown['allow'], { value: '10.0.0.0/8', origin: `${file}:2`, pending: '' })
    assert.deepEqual(shown['max_streams'], { value: '65536', origin: 'default', pending: '100' })
    const go = { on: true }
    const sent = sending(running.port('NetFlow'), go)
    const refused = 'ovsight_datagrams_dropped_total{reason="not_allowed"}'
    await until('refusals', async () => (await metric(running.url, refused)) > 0)
    go.on = false
    await sent
    const { stderr, code } = await running.stop()
    assert.equal(code, 0)
    assert.match(stderr, /max_streams takes effect after a restart/)
    assert.match(stderr, /the old one stays in force/)
    const { stderr: none } = await ovsight(['show', 'config', '--running', '--data', data])
    assert.match(none, /no collector runs on/)
  })
})
