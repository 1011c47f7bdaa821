import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { buildPipeline } from '../../src/pipeline/build.ts'
import { LossWatch } from '../../src/pipeline/loss-watch.ts'
import { createLog } from '../../src/telemetry/log.ts'

describe('LossWatch', () => {
  it('says once how much was lost since it looked last, and nothing while nothing is', () => {
    const lines: string[] = []
    const log = createLog({ level: 'info', format: 'json', to: { write: (line: string) => lines.push(line) } })
    const { config } = loadConfig()
    const built = buildPipeline(config, { attribute: () => {}, emit: () => Promise.resolve() })
    const receiver = { stats: () => ({ kernelDrops: drops }) }
    let drops = -1
    const watch = new LossWatch(log, new Map([['ipfix', receiver as never]]), built)
    watch.look()
    assert.deepEqual(lines, [])
    drops = 5
    built.pipeline.counters.dropped.overload = 7
    watch.look()
    watch.look()
    assert.equal(lines.length, 2)
    assert.match(lines[0]!, /"listener":"ipfix","count":5,"msg":"the kernel dropped datagrams/)
    assert.match(lines[1]!, /"count":7,"msg":"datagrams were dropped/)
    drops = 6
    watch.look()
    assert.match(lines[2]!, /"count":1/)
  })
})
