import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Backend } from '../../src/cli/backend.ts'
import { followFlows } from '../../src/cli/follow.ts'
import type { FlowsRequest, Row } from '../../src/query/ask.ts'

const T0 = Date.UTC(2026, 0, 1)

/** A backend in which records appear one after the other, some later than their time says. */
function backendOf(rounds: readonly (readonly number[])[]): { backend: Backend; asked: FlowsRequest[] } {
  const asked: FlowsRequest[] = []
  const held: Row[] = []
  const backend = {
    flows: (request: FlowsRequest) => {
      held.push(...(rounds[asked.length] ?? []).map((ms) => ({ id: `r${ms}`, time_received: new Date(T0 + ms).toISOString() }))) // prettier-ignore
      asked.push(request)
      const from = Date.parse(request.received_from!)
      const rows = held.filter((row) => Date.parse(String(row['time_received'])) >= from)
      return Promise.resolve({ rows: rows.toReversed(), columns: [], span: {}, notes: [] })
    },
  } as unknown as Backend
  return { backend, asked }
}

describe('flows --follow', () => {
  it('tells each record once, the oldest first, also those that arrive late', async () => {
    const { backend, asked } = backendOf([[0, 10], [20, 5], [9000], [6000, 9001], [], [20_000]])
    const told: string[] = []
    const stop = new AbortController()
    await followFlows(backend, { filter: 'tcp' }, {
      now: () => T0,
      pauseMs: 0,
      signal: stop.signal,
      tell: (rows) => {
        told.push(...rows.map(({ id }) => String(id)))
        if (asked.length === 6) stop.abort()
      },
    }) // prettier-ignore
    assert.deepEqual(told, ['r0', 'r10', 'r20', 'r5', 'r9000', 'r6000', 'r9001', 'r20000'])
    assert.equal(asked[0]?.received_from, '2026-01-01T00:00:00.000Z')
    assert.equal(asked[5]?.received_from, '2026-01-01T00:00:04.001Z')
    assert.equal(asked[0].filter, 'tcp')
  })
})
