import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { check } from '../../bench/load/drive.ts'
import { loads } from '../../bench/load/loads.ts'
import type { Counted } from '../../bench/load/receiver.ts'

const SENT = 1_000
const DROPS = 10

describe('a bench of receiving is wrong, of every kind of traffic,', async () => {
  for (const load of await loads()) {
    const before = load.exporters.reduce((sum, exporter) => sum + exporter.before.length, 0)
    const records = (SENT - DROPS) * load.records
    const right: Counted = {
      datagrams: SENT - DROPS + before,
      rows: load.input === 'gre' ? 64 : records,
      packets: load.input === 'gre' ? records : 0,
      kernelDrops: DROPS,
      overload: 0,
      lost: 0,
    }
    const wrong = (what: string, counted: Partial<Counted>) => {
      it(`${load.name}: when ${what}`, () =>
        assert.throws(() => check(load, SENT, DROPS, { ...right, ...counted }), assert.AssertionError))
    }

    it(`${load.name}: but not when all is there`, () => check(load, SENT, DROPS, right))
    wrong('a record is in no row', load.input === 'gre' ? { packets: records - 1 } : { rows: records - 1 })
    wrong('a record is in two rows', load.input === 'gre' ? { packets: records + 1 } : { rows: records + 1 })
    wrong('a datagram is neither received nor dropped', { datagrams: right.datagrams - 1 })
    wrong('a drop of the kernel is not told', { kernelDrops: DROPS - 1 })
    wrong('datagrams were dropped by the collector', { overload: 1 })
  }
})
