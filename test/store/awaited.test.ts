import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../src/errors.ts'
import { Awaited } from '../../src/store/awaited.ts'

const PAUSE = { firstMs: 5, maxMs: 10 }
const away = new AppError('store_unreachable', 'http://db:8123/ovsight does not answer: ECONNREFUSED')
const refused = new AppError('store_refused', 'Authentication failed')

/** A store whose schema comes to be up to date by these steps, the last for ever. */
function store(...steps: (AppError | Error | 'hangs' | 'well')[]) {
  const tries = { count: 0 }
  const migrate = async () => {
    const step = steps[Math.min(tries.count++, steps.length - 1)]
    if (step === 'hangs') await sleep(60)
    if (step instanceof Error) throw step
  }
  return { migrate, tries }
}

function log() {
  const lines: string[] = []
  const at = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`)
  return { lines, log: { info: at('info'), warn: at('warn'), error: at('error') } }
}

describe('a store that may not be there yet', () => {
  it('is ready at once where it is there', async () => {
    const { lines, log: to } = log()
    const awaited = await Awaited.begin(store('well'), { log: to, advice: 'look' })
    await awaited.whenReady
    assert.deepEqual([awaited.ready, lines], [true, []])
  })

  it('is tried until it is there; why it is not is said once, with what to do', async () => {
    const { lines, log: to } = log()
    const given = store(away, away, away, away, 'well')
    const awaited = await Awaited.begin(given, { log: to, advice: 'look at the server', pause: PAUSE })
    assert.deepEqual([awaited.ready, awaited.fault], [false, away])
    await awaited.whenReady
    assert.deepEqual([given.tries.count, awaited.ready, awaited.fault], [5, true, undefined])
    await sleep(1)
    assert.deepEqual(lines, [
      'warn http://db:8123/ovsight does not answer: ECONNREFUSED; look at the server',
      'info the store answers and its tables are up to date; the spool is being emptied',
    ])
  })

  it('that refuses at the start is an error; later it is said and tried again', async () => {
    await assert.rejects(Awaited.begin(store(refused), { log: log().log, advice: '' }), refused)
    const { lines, log: to } = log()
    const awaited = await Awaited.begin(store(away, refused, refused, 'well'), {
      log: to,
      advice: 'look',
      pause: PAUSE,
    })
    await awaited.whenReady
    assert.equal(lines[1], 'error the store answers, and refuses: Authentication failed; look')
    assert.equal(lines.filter((line) => line.startsWith('error')).length, 1)
  })

  it('that hangs, or has much to bring up to date, does not keep the start', async () => {
    const { lines, log: to } = log()
    const awaited = await Awaited.begin(store('hangs'), { log: to, advice: 'look', firstLimitMs: 5 })
    assert.equal(awaited.ready, false)
    assert.match(lines[0]!, /^warn the store takes long/)
    await awaited.whenReady
  })

  it('is waited for no longer after a stop', async () => {
    const given = store(away)
    const awaited = await Awaited.begin(given, {
      log: log().log,
      advice: '',
      pause: { firstMs: 60_000, maxMs: 60_000 },
    })
    await awaited.stop()
    assert.equal(given.tries.count, 1)
  })

  it('has faults of the program end it', async () => {
    await assert.rejects(Awaited.begin(store(new TypeError('a bug')), { log: log().log, advice: '' }), TypeError)
  })
})
