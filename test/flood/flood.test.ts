/** A short flood in every test run; `npm run flood` is the long one, over sockets. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DirectFlood } from './direct.ts'

const MIB = 1024 ** 2

describe('a flood from a million addresses', () => {
  it('of random templates, domains, engines and agents costs little and keeps little', async () => {
    const flood = await DirectFlood.open()
    await flood.run(60_000, 1_000_000)
    const before = process.memoryUsage.rss()
    const cpuUs = await flood.run(150_000, 1_000_000)
    const grown = (process.memoryUsage.rss() - before) / MIB
    assert.ok(cpuUs <= 10, `${cpuUs} µs a datagram`)
    assert.ok(grown <= 32, `${grown} MiB more`)
    assert.ok(flood.logBytes <= 100_000, `${flood.logBytes} bytes of log`)
    const page = await flood.metrics()
    assert.ok(page.length <= 2_000_000, `${page.length} bytes of metrics`)
    const { counters } = flood.built.pipeline
    assert.ok(counters.dropped.exporters > 100_000, 'addresses beyond the bound are counted')
  })

  it('costs almost nothing where only known exporters may send', async () => {
    const flood = await DirectFlood.open(['10.0.0.0/8', '192.168.7.1'])
    await flood.run(20_000, 1_000_000)
    const cpuUs = await flood.run(60_000, 1_000_000)
    assert.ok(cpuUs <= 2, `${cpuUs} µs a datagram`)
    assert.equal(flood.built.pipeline.parts.exporters.size, 0)
    assert.ok(flood.built.pipeline.parts.admission.sendersListed <= 1024)
    assert.ok(flood.logBytes <= 10_000)
  })
})
