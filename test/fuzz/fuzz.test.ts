/** A short run of the fuzzer in every test run; `npm run fuzz` is the long one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fuzz } from './fuzz.ts'
import { start } from './starts.ts'
import { NO_ENGINE } from '../e2e/cli.ts'
import { TARGETS } from './targets.ts'

describe('fuzzing for a moment', () => {
  for (const target of TARGETS) {
    it(`${target.name} takes whatever comes`, async () => {
      const { fault, inputs } = await fuzz(target, 300, 7)
      assert.equal(
        fault?.error.stack ?? '',
        '',
        Buffer.from(fault?.input ?? [])
          .toString('hex')
          .slice(0, 4000),
      )
      assert.ok(inputs > 0)
    })
  }
})

describe('a fresh start', { skip: NO_ENGINE }, () => {
  it('survives two thousand damaged datagrams, each accounted for', async () => {
    const { fault } = await start(2_000, 11)
    assert.equal(fault, '')
  })
})
