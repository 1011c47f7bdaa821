/** A short soak in every test run; `npm run soak` is the long one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_ENGINE } from '../e2e/cli.ts'
import { OVSDB_MISSING } from '../identity/real-ovsdb.ts'
import { slowReceiveReason } from '../../src/receive/open.ts'
import { soak } from './soak.ts'

const skip = NO_ENGINE || OVSDB_MISSING || slowReceiveReason() || false

describe('a soak', { skip }, () => {
  it('accounts for every datagram and record while all that the collector depends on is restarted', async (test) => {
    const { faults } = await soak({ forMs: 13_000, records: 1000, hostile: 100, say: (line) => test.diagnostic(line) })
    assert.deepEqual(faults, [])
  })
})
