import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/options.ts'
import { STATUS } from '../../src/decode/status.ts'
import { AppError } from '../../src/errors.ts'
import { buildPipeline } from '../../src/pipeline/build.ts'
import { closeListeners, openListeners } from '../../src/pipeline/listeners.ts'
import { listenerReaders, pipelineReaders } from '../../src/pipeline/readings.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { METRIC_NAMES, type MetricName } from '../../src/telemetry/metrics.ts'
import { createRegistry } from '../../src/telemetry/registry.ts'
import { lanesOf } from './parts.ts'

const LOCAL = {
  bind: '127.0.0.1',
  netflow_port: '0',
  ipfix_port: '0',
  sflow_port: 'off',
  vxlan_port: 'off',
  gre: 'off',
}

function configured(flags: Partial<Record<keyof Config, unknown>>): Config {
  return loadConfig({ flags: { ...LOCAL, receive_buffer: '64KiB', ...flags } }).config
}

function newPipeline() {
  return buildPipeline(configured({}), { attribute: () => {}, emit: () => Promise.resolve() })
}

function logger() {
  const lines: string[] = []
  return { lines, log: createLog({ level: 'info', format: 'text', to: { write: (line: string) => lines.push(line) } }) }
}

for (const receiver of ['auto', 'dgram'])
  describe(`listeners, receiver ${receiver}`, () => {
    it('open what is asked for and feed the pipeline; metrics tell', async () => {
      const { log } = logger()
      const listeners = await openListeners(configured({ receiver }), log)
      assert.deepEqual([...listeners.keys()], ['netflow', 'ipfix'])
      const built = newPipeline()
      const { pipeline } = built
      for (const [input, listening] of listeners) listening.start((batch) => pipeline.feed(input, batch))
      const socket = createSocket('udp4')
      for (const input of ['netflow', 'ipfix'] as const) {
        const datagram = Buffer.alloc(24 + 48)
        datagram.set([0, 5, 0, 1])
        await new Promise((resolve) => socket.send(datagram, listeners.get(input)!.port, '127.0.0.1', resolve))
      }
      for (let i = 0; i < 100 && pipeline.counters.rows[0]! < 2; i++) await sleep(20)
      socket.close()
      const text = await createRegistry({ ...pipelineReaders(built), ...listenerReaders(listeners) }).metrics()
      await closeListeners(listeners)
      for (const line of [
        'ovsight_receive_datagrams_total{listener="netflow"} 1',
        'ovsight_receive_bytes_total{listener="ipfix"} 72',
        'ovsight_datagrams_total{protocol="netflow5",status="ok"} 2',
        'ovsight_rows_total{protocol="netflow5"} 2',
        'ovsight_exporter_rows_total{exporter="127.0.0.1"} 2',
        'ovsight_datagrams_dropped_total{reason="overload"} 0',
      ])
        assert.ok(text.includes(`${line}\n`), line)
    })
  })

describe('listeners', () => {
  it('that cannot open are all named, and the others are closed again', async () => {
    const { log } = logger()
    const taken = await openListeners(configured({}), log)
    const ports = { netflow_port: String(taken.get('netflow')!.port), sflow_port: String(taken.get('ipfix')!.port) }
    const error = await openListeners(configured(ports), log).then(
      () => assert.fail('opened'),
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof AppError)
    assert.equal(error.code, 'port_in_use')
    assert.equal(error.exitCode, 5)
    assert.match(error.message, new RegExp(ports.netflow_port))
    assert.match(error.details.join('\n'), new RegExp(ports.sflow_port))
    await closeListeners(taken)
    const again = await openListeners(configured(ports), log)
    await closeListeners(again)
  })

  it('share one port for NetFlow and IPFIX when both options name it', async () => {
    const { log } = logger()
    const free = await openListeners(configured({ ipfix_port: 'off' }), log)
    const port = String(free.get('netflow')!.port)
    await free.get('netflow')!.close()
    const one = await openListeners(configured({ netflow_port: port, ipfix_port: port }), log)
    assert.deepEqual([...one.keys()], ['netflow'])
    await one.get('netflow')!.close()
  })

  it('for GRE either open or warn with what to do, and the rest runs', async () => {
    const { log, lines } = logger()
    const listeners = await openListeners(configured({ gre: 'on' }), log)
    if (listeners.has('gre')) assert.equal(lines.join(''), '')
    else assert.match(lines.join(''), /CAP_NET_RAW.*all else runs/i)
    assert.ok(listeners.has('netflow'))
    await closeListeners(listeners)
  })
})

describe('readers', () => {
  it('are of metrics that the table has', () => {
    const names = Object.keys({ ...pipelineReaders(newPipeline()), ...listenerReaders(new Map()) })
    for (const name of names) assert.ok((METRIC_NAMES as string[]).includes(name), name)
  })

  it('give exporters beyond the first ones one sample together, equal to the sum', () => {
    const built = { ...newPipeline(), labelled: 2 }
    const { exporters } = built.pipeline.parts
    for (let i = 0; i < 5; i++) {
      const place = exporters.placeOf(lanesOf(`::ffff:10.0.0.${i}`), 0, 0)
      exporters.rows[place] = 10 ** i
      built.pipeline.counters.fault(exporters.idAt(place), 0, STATUS.bad_count, 0)
    }
    const readers = pipelineReaders(built)
    const told = (name: MetricName) => [...readers[name]!()]
    assert.deepEqual(told('ovsight_exporter_rows_total'), [
      [1, '10.0.0.0'],
      [10, '10.0.0.1'],
      [11_100, 'other'],
    ])
    assert.deepEqual(told('ovsight_exporter_faults_total'), [
      [1, '10.0.0.0', 'netflow5', 'bad_count'],
      [1, '10.0.0.1', 'netflow5', 'bad_count'],
      [3, 'other', 'netflow5', 'bad_count'],
    ])
    assert.deepEqual(told('ovsight_exporter_clock_moved_records_total'), [])
  })
})
