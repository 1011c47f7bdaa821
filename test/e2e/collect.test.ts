import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { METRIC_NAMES } from '../../src/telemetry/metrics.ts'
import { PCAPS } from '../paths.ts'
import {
  NO_ENGINE,
  type Running,
  type ServerRow,
  answer,
  collector,
  ovsight,
  temporary,
  truthOf,
  within,
} from './cli.ts'
import { STORED, ALIASES, metric, send, until } from './exports.ts'

/** Sends full NetFlow v5 datagrams as fast as one socket can. */
async function flood(port: number, count: number): Promise<void> {
  const socket = createSocket('udp4')
  const datagram = Buffer.alloc(24 + 30 * 48)
  datagram.set([0, 5, 0, 30])
  for (let i = 0; i < count; i += 100) {
    // The time of the header, so that rows lie in the span that top asks for.
    datagram.writeUInt32BE(Math.floor(Date.now() / 1000), 8)
    await Promise.all(
      Array.from({ length: 100 }, () => new Promise((done) => socket.send(datagram, port, '127.0.0.1', done))),
    )
  }
  socket.close()
}

describe('collect', { skip: NO_ENGINE }, () => {
  for (const workers of ['1', '2'])
    it(`receives real exports over UDP, answers while it runs and after, to the byte (workers ${workers})`, async () => {
      const data = join(temporary(), 'data')
      const running = await collector([
        '--data',
        data,
        '--identity',
        `${PCAPS}ipfix/identity.yaml`,
        ...ALIASES,
        '--workers',
        workers,
      ])
      const sent = await send('ipfix', running.port('IPFIX'))
      await until('reception', async () => {
        return (await metric(running.url, 'ovsight_receive_datagrams_total{listener="ipfix"}')) === sent
      })
      await until('insertion', async () => (await metric(running.url, STORED)) === 88)
      const whileRunning = await answer<ServerRow>(['top', 'server', '--data', data])
      for (const { server, sent: own, received } of truthOf('ipfix')) {
        const row = whileRunning.find((one) => one.server === server)
        assert.deepEqual([row?.sent_l2_bytes, row?.received_l2_bytes], [own, received], server)
      }
      const page = await (await fetch(`${running.url}/metrics`)).text()
      for (const name of METRIC_NAMES) assert.ok(page.includes(`# TYPE ${name} `), name)
      assert.match(page, /ovsight_exporter_rows_total\{exporter="10\.0\.10\.14"\} [1-9]/)
      assert.doesNotMatch(page, /ovsight_exporter_lost_records_total\{/)

      const { code, stderr } = await running.stop()
      assert.equal(code, 0, stderr)
      assert.equal(existsSync(join(data, 'collector.json')), false)
      assert.deepEqual(await answer<ServerRow>(['top', 'server', '--data', data]), whileRunning)
    })

  it('writes what it holds when it is told to stop, within seconds', async () => {
    const data = join(temporary(), 'data')
    const running = await collector(['--data', data, '--flush-after', '60s'])
    const sent = await send('netflow5', running.port('NetFlow'))
    const note = JSON.parse(readFileSync(join(data, 'collector.json'), 'utf8')) as { url: string }
    assert.equal(note.url, running.url)
    await until('reception', async () => {
      return (await metric(running.url, 'ovsight_datagrams_total{protocol="netflow5",status="ok"}')) === sent
    })
    assert.equal(await metric(running.url, STORED), 0)
    const start = Date.now()
    const { code } = await running.stop('SIGINT')
    assert.equal(code, 0)
    assert.ok(Date.now() - start < 8_000)
    const rows = await answer<{ records: number }>(['top', 'exporter', '--count', 'all', '--data', data])
    assert.equal(
      rows.reduce((sum, { records }) => sum + records, 0),
      41,
    )
  })

  describe('one collector', () => {
    const data = join(temporary(), 'data')
    let running: Running
    before(async () => {
      running = await collector(['--data', data, '--receive-buffer', '512KiB'])
    })
    after(() => running.stop())

    it('takes NetFlow, IPFIX and what is neither on one port, and counts all', async () => {
      await send('ipfix', running.port('NetFlow'))
      await send('sflow5', running.port('NetFlow'))
      const wrong = 'ovsight_datagrams_total{protocol="netflow5",status="bad_version"}'
      await until('both', async () => (await metric(running.url, wrong)) === 87)
      assert.equal(await metric(running.url, 'ovsight_rows_total{protocol="ipfix"}'), 88)
    })

    it('refuses a port in use and a directory that another process holds, and says what to do', async () => {
      const other = await within([
        ...['collect', '--bind', '127.0.0.1', '--gre', 'off', '--data', join(temporary(), 'other')],
        ...['--netflow-port', String(running.port('NetFlow')), '--ipfix-port', 'off', '--sflow-port', 'off'],
        ...['--vxlan-port', 'off', '--http-port', 'off'],
      ])
      assert.equal(other.code, 5)
      assert.match(other.stderr, new RegExp(`${running.port('NetFlow')}`))
      const locked = await within(['replay', '--data', data, `${PCAPS}netflow5/capture.pcap`])
      assert.equal(locked.code, 6)
      assert.match(locked.stderr, /process \d+ holds the data directory .* answers at http.*--data DIR/)
    })

    it('accounts for every datagram of a flood: decoded, or dropped by the kernel and counted', async () => {
      const listener = '{listener="netflow"}'
      const seen = async () =>
        (await metric(running.url, `ovsight_receive_datagrams_total${listener}`)) +
        (await metric(running.url, `ovsight_receive_kernel_drops_total${listener}`))
      const earlier = await seen()
      const sent = 20_000
      await flood(running.port('NetFlow'), sent)
      await until('all of the flood', async () => (await seen()) === earlier + sent)
      const received = await metric(running.url, `ovsight_receive_datagrams_total${listener}`)
      const decoded = await metric(running.url, 'ovsight_datagrams_total{protocol="netflow5",status="ok"}')
      const overload = await metric(running.url, 'ovsight_datagrams_dropped_total{reason="overload"}')
      assert.equal(decoded + overload, received - earlier)
      const rows = await metric(running.url, 'ovsight_rows_total{protocol="netflow5"}')
      assert.equal(rows, decoded * 30)
      const { code, stderr } = await running.stop()
      assert.equal(code, 0)
      // What was neither, once for each sort and exporter, however many came.
      assert.equal(stderr.split('\n').filter((line) => line.includes('bad_version')).length, 5)
      const totals = await answer<{ export_protocol: string; records: number }>([
        ...['top', 'export_protocol', '--count', 'all', '--data', data],
      ])
      assert.equal(totals.find(({ export_protocol }) => export_protocol === 'netflow5')?.records, rows)
    })
  })

  it('that was killed is started again on the same directory, and what it had stored is there once', async () => {
    const data = join(temporary(), 'data')
    const words = ['--data', data, '--identity', `${PCAPS}ipfix/identity.yaml`, ...ALIASES]
    const first = await collector(words)
    await send('ipfix', first.port('IPFIX'))
    await until('insertion', async () => (await metric(first.url, STORED)) === 88)
    await first.stop('SIGKILL')
    assert.equal(existsSync(join(data, 'collector.json')), true)
    const again = await collector(words)
    const rows = await answer<ServerRow>(['top', 'server', '--data', data])
    assert.equal(rows.find(({ server }) => server === 'red-1')?.sent_l2_bytes, 539_082)
    const { code } = await again.stop()
    assert.equal(code, 0)
  })

  it('tells the faults of identity, ports and directory in one go', async () => {
    const { code, stderr } = await ovsight([
      ...['collect', '--bind', '192.0.2.1', '--gre', 'off', '--identity', '/none.yaml', '--data', '/proc/none'],
      ...['--http-port', 'off'],
    ])
    assert.notEqual(code, 0)
    assert.match(stderr, /none\.yaml/)
    assert.match(stderr, /192\.0\.2\.1/)
    assert.match(stderr, /\/proc\/none/)
  })
})

describe('collect --check', () => {
  it('says what is sound and starts nothing', async () => {
    const data = join(temporary(), 'data')
    const { code, stdout } = await ovsight([
      ...['collect', '--check', '--data', data, '--identity', `${PCAPS}ipfix/identity.yaml`],
    ])
    assert.equal(code, 0)
    assert.match(stdout, /^sound: identity with 3 hosts, data in /)
    assert.equal(existsSync(join(data, 'lock')), false)
  })

  it('lists every wrong option with its place, and ends with code 2', async () => {
    const { code, stderr } = await ovsight(['collect', '--check', '--bind', 'here'], undefined, {
      OVSIGHT_BATCH_ROWS: '1',
      OVSIGHT_NETFLOW: '1',
    })
    assert.equal(code, 2)
    for (const place of ['--bind', 'OVSIGHT_BATCH_ROWS', 'OVSIGHT_NETFLOW'])
      assert.match(stderr, new RegExp(`^  ${place}: `, 'm'))
  })
})
