/** Each verdict and each cause, from what is known of a port. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge, type Evidence } from '../../src/audit/verdict.ts'
import { enumValues } from '../../src/schema/enums.ts'

const PORT: Evidence = {
  direction: 'sent',
  host: 'c0',
  bridge: 'br-int',
  countedBytes: 1_000_000,
  trueBytes: 1_000_000,
  countedPackets: 1000,
  truePackets: 1000,
  samplingError: 0,
  edgeError: 0,
  resets: 0,
  protocols: ['ipfix'],
  bridgeRecords: 50,
  silent: [],
  completeness: 100,
  datapathLost: 0,
  copies: 0,
  unsureBytes: 0,
  lagMs: 5000,
  ageMs: 600_000,
}
const seen = new Set<string>()
const verdict = (change: Partial<Evidence>): string => {
  const { verdict: found, cause, note } = judge({ ...PORT, ...change })
  seen.add(`verdict ${found}`).add(`cause ${cause}`)
  assert.equal(note === '', cause === 'none', `a cause has its reason: ${found} ${cause} ${note}`)
  return `${found} ${cause}`
}
const short = { countedBytes: 800_000, countedPackets: 800 }
const over = { countedBytes: 1_300_000, countedPackets: 1300 }

describe('the verdict on a port', () => {
  it('agrees when the two are the same, but for what the ends of the span explain', () => {
    assert.equal(verdict({}), 'agrees none')
    assert.equal(verdict({ countedBytes: 999_500 }), 'agrees none')
    assert.equal(verdict({ ...short, edgeError: 200_000 }), 'agrees none')
    assert.equal(verdict({ ...short, edgeError: 190_000 }), 'short unexplained')
  })

  it('is open when most of the traffic flowed around the readings', () => {
    assert.equal(verdict({ ...short, edgeError: 600_000 }), 'unknown counter_span')
    assert.equal(verdict({ edgeError: 600_000 }), 'agrees none')
  })

  it('is within the sampling error as far as the half-width goes', () => {
    assert.equal(verdict({ ...short, samplingError: 200_000 }), 'within_sampling_error none')
    assert.equal(verdict({ ...over, samplingError: 200_000 }), 'over unexplained')
  })

  it('agrees when only such frames are missing as the records cannot hold', () => {
    const arp = { countedBytes: 999_580, countedPackets: 990, trueBytes: 1_000_000, truePackets: 1000 }
    const few = { ...arp, countedBytes: 580, trueBytes: 1000 }
    assert.equal(verdict({ ...few, protocols: ['netflow5'] }), 'agrees not_ipv4')
    assert.equal(verdict({ ...few, protocols: ['sflow5'], direction: 'received' }), 'agrees broadcast')
    assert.equal(verdict({ ...few, protocols: ['ipfix'], direction: 'received' }), 'short unexplained')
    const many = { countedBytes: 900_000, countedPackets: 1000, truePackets: 3000 }
    assert.equal(verdict({ ...many, protocols: ['netflow5'] }), 'short not_ipv4')
  })

  it('names the bridge that nothing came from', () => {
    const nothing = { countedBytes: 0, countedPackets: 0, bridgeRecords: 0, protocols: [] }
    assert.equal(verdict(nothing), 'short no_exporter')
    assert.match(judge({ ...PORT, ...nothing }).note, /br-int of c0/)
    assert.equal(verdict({ ...nothing, trueBytes: 420, truePackets: 10 }), 'unknown no_exporter')
    const fromElsewhere = { ...short, direction: 'received', protocols: ['netflow5'], silent: ['c1 br-int'] } as const
    assert.equal(verdict(fromElsewhere), 'short no_exporter')
    assert.match(judge({ ...PORT, ...fromElsewhere }).note, /c1 br-int/)
  })

  it('names losses when they are large enough to explain it', () => {
    assert.equal(verdict({ ...short, completeness: 85 }), 'short losses')
    assert.equal(verdict({ ...short, completeness: 99.9 }), 'short unexplained')
    assert.equal(verdict({ ...short, datapathLost: 12 }), 'short datapath_losses')
  })

  it('names what else takes records away', () => {
    assert.equal(verdict({ ...short, resets: 1 }), 'short counter_span')
    assert.equal(verdict({ ...short, ageMs: 3000 }), 'short caches')
    assert.equal(verdict({ ...short, unsureBytes: 150_000 }), 'short ambiguous')
    assert.equal(verdict({ countedBytes: 970_000, countedPackets: 40 }), 'short offload')
    assert.equal(verdict({ ...short, direction: 'received', protocols: ['sflow5'] }), 'short broadcast')
  })

  it('names what adds to them', () => {
    assert.equal(verdict({ countedBytes: 1_037_000 }), 'over tunnel_overhead')
    assert.equal(verdict({ ...over, copies: 300 }), 'over mirror')
    assert.equal(verdict({ countedBytes: 1_050_000, countedPackets: 20_000 }), 'over offload')
    assert.equal(verdict({ ...over, resets: 2 }), 'over counter_span')
    assert.equal(verdict(over), 'over unexplained')
  })

  it('every verdict and cause of the schema was met', () => {
    for (const name of enumValues('audit_verdict')) assert.ok(seen.has(`verdict ${name}`), name)
    for (const name of enumValues('audit_cause')) assert.ok(seen.has(`cause ${name}`), name)
  })
})
