import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DEFAULT_SPAN_MS, parseDuration, parseSpan, parseTime } from '../../src/query/times.ts'

const NOW = Date.UTC(2026, 10, 23, 1, 2, 3)

describe('times', () => {
  const TIMES: Readonly<Record<string, number | undefined>> = {
    '2026-01-31': Date.UTC(2026, 0, 31),
    '2026-01-31T08:00': Date.UTC(2026, 0, 31, 8),
    '2026-01-31 08:00:01': Date.UTC(2026, 0, 31, 8, 0, 1),
    '2026-01-31T08:00:01.234567Z': Date.UTC(2026, 0, 31, 8, 0, 1, 234),
    '2026-01-31T08:00:00+02:00': Date.UTC(2026, 0, 31, 6),
    '2026-01-31T08:00:00-0530': Date.UTC(2026, 0, 31, 13, 30),
    '2024-02-29': Date.UTC(2024, 1, 29),
    '2026-02-30': undefined,
    '2026-13-01': undefined,
    '2026-01-31T25:00': undefined,
    '2026-1-1': undefined,
    now: NOW,
    today: Date.UTC(2026, 10, 23),
    yesterday: Date.UTC(2026, 10, 22),
    '-2h': NOW - 7_200_000,
    '-1d12h': NOW - 129_600_000,
    '2h': undefined,
    '1767225600': Date.UTC(2026, 0, 1),
    '1767225600.5': Date.UTC(2026, 0, 1) + 500,
    '1767225600123': Date.UTC(2026, 0, 1) + 123,
    '12': undefined,
    '9999-01-01': undefined,
    '-99999w': undefined,
    soon: undefined,
    '': undefined,
  }
  for (const [text, ms] of Object.entries(TIMES))
    it(`${JSON.stringify(text)} is ${ms === undefined ? 'no time' : new Date(ms).toISOString()}`, () =>
      assert.equal(parseTime(text, NOW), ms))
})

describe('spans', () => {
  it('are durations with their units', () => {
    assert.equal(parseDuration('15m'), 900_000)
    assert.equal(parseDuration('1h30m'), 5_400_000)
    assert.equal(parseDuration('1.5d'), 129_600_000)
    assert.equal(parseDuration('2w'), 1_209_600_000)
    for (const text of ['15', 'm', '1h 30m', '-5m', '5 m', '', '1y']) assert.equal(parseDuration(text), undefined, text)
  })

  it('end now unless they say otherwise, and hold now', () => {
    assert.deepEqual(parseSpan({}, NOW), { fromMs: NOW - DEFAULT_SPAN_MS, toMs: NOW + 1, explicit: false })
    assert.deepEqual(parseSpan({ last: '2h' }, NOW), { fromMs: NOW - 7_200_000, toMs: NOW + 1, explicit: true })
    const [from, to] = [NOW - 86_400_000 - 3_000, NOW + 57_000]
    assert.deepEqual(parseSpan({ last: '1d' }, NOW), { fromMs: from, toMs: to, explicit: true }, 'whole minutes')
    assert.deepEqual(parseSpan({ from: '-2h' }, NOW), { fromMs: NOW - 7_200_000, toMs: NOW + 1, explicit: true })
    assert.deepEqual(parseSpan({ from: '2026-01-01', to: '2026-01-02' }, NOW), {
      fromMs: Date.UTC(2026, 0, 1),
      toMs: Date.UTC(2026, 0, 2),
      explicit: true,
    })
    assert.equal(parseSpan({ to: '2026-01-02' }, NOW).fromMs, Date.UTC(2026, 0, 2) - DEFAULT_SPAN_MS)
  })

  it('are refused with what could be written', () => {
    const refused = (request: Parameters<typeof parseSpan>[0], message: RegExp) =>
      assert.throws(() => parseSpan(request, NOW), { code: 'time_invalid', message })
    refused({ last: 'soon' }, /--last "soon" is not a span; write 15m/)
    refused({ last: '0s' }, /not a span/)
    refused({ last: '1h', from: '-2h' }, /not both/)
    refused({ from: 'soon' }, /--from "soon" is not a time; write 2026-01-31/)
    refused({ from: '2026-01-02', to: '2026-01-01' }, /the span is empty: it starts at 2026-01-02T00:00:00\.000Z/)
    refused({ from: '2026-01-01', to: '2026-01-01' }, /empty/)
  })
})
