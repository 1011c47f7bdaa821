import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { SampledLog } from '../../src/telemetry/sampled-log.ts'

function lines(isTTY: boolean, format: 'auto' | 'json' | 'text' = 'auto') {
  const written: string[] = []
  const log = createLog({ level: 'info', format, to: { write: (text: string) => written.push(text), isTTY } })
  return { log, written }
}

describe('logs', () => {
  it('are one JSON object a line where no terminal is', () => {
    const { log, written } = lines(false)
    log.warn({ listener: 'netflow' }, 'smaller buffer')
    log.debug('not wanted')
    const line = JSON.parse(written.join('')) as Record<string, unknown>
    assert.deepEqual({ ...line, time: 0 }, { level: 'warn', time: 0, listener: 'netflow', msg: 'smaller buffer' })
  })

  it('are lines to be read on a terminal', () => {
    const { log, written } = lines(true)
    log.info({ rows: 3 }, 'stored')
    assert.match(written.join(''), /^\d\d:\d\d:\d\d info {2}stored {2}rows=3\n$/)
  })

  it('carry code and cause of an error, and no stack', () => {
    const { log, written } = lines(false)
    log.error({ err: new AppError('store_unreachable', 'no answer', { cause: new Error('ECONNREFUSED') }) }, 'insert')
    const { err } = JSON.parse(written.join('')) as { err: unknown }
    assert.deepEqual(err, { name: 'AppError', message: 'no answer', code: 'store_unreachable', cause: 'ECONNREFUSED' })
  })
})

describe('SampledLog', () => {
  it('writes a few lines of each kind, then counts, then says how many it left out', () => {
    const { log, written } = lines(false)
    const sampled = new SampledLog(log)
    for (let i = 0; i < 100_000; i++)
      for (const kind of ['a', 'b']) if (sampled.wants(kind, 1000 + (i >> 10))) sampled.warn({ kind }, 'bad')
    assert.equal(written.length, 10)
    assert.equal(sampled.suppressed, 199_990)
    sampled.wants('a', 20_000)
    assert.equal(written.length, 12)
    assert.match(written[10]!, /"kind":"a","suppressed":99995/)
  })

  it('is bounded in kinds', () => {
    const { log } = lines(false)
    const sampled = new SampledLog(log)
    let wanted = 0
    for (let i = 0; i < 10_000; i++) if (sampled.wants(`kind ${i}`, 1000)) wanted++
    assert.equal(wanted, 256)
  })
})
