import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { IPFIX, Lab, MACS, type Exports } from './lab.ts'
import { attributedOne, type Row, type RowSeen } from './rows.ts'

/** As OVS sends it: `packets`, octets and squares are multiplied by `rate` already. */
const sampled = (rate: number, lengths: number[], row: Row = {}): Row => ({
  export_protocol: 'ipfix',
  exporter: '10.0.0.10',
  flow_direction: 'ingress',
  in_if_name: 'tap-red-1',
  src_mac: MACS['red-1'],
  dst_mac: MACS['red-2'],
  src_addr: '192.168.10.8',
  dst_addr: '192.168.10.9',
  packets: rate * lengths.length,
  bytes: rate * lengths.reduce((sum, length) => sum + length, 0),
  l2_bytes: rate * lengths.reduce((sum, length) => sum + length + 14, 0),
  bytes_variance: rate * lengths.reduce((sum, length) => sum + length ** 2, 0),
  ...row,
})
const numbers = (row: RowSeen) =>
  (['sampling_rate', 'samples', 'bytes_variance', 'l2_bytes_variance'] as const).map((name) => Number(row.column(name)))
const withSampling = (sampling: number): Exports => ({ ipfix: { ...IPFIX, sampling, observationDomain: 7 } })

describe('sampled IPFIX of Open vSwitch', () => {
  it('has rate, samples and variances from the rate of the bridge, and the counts stay as they are', () => {
    const lengths = [100, 1400, 46]
    const row = attributedOne(new Lab(withSampling(400)).snapshot(), sampled(400, lengths, { observation_domain: 7 }))
    const squares = (more: number) => lengths.reduce((sum, length) => sum + (length + more) ** 2, 0)
    const [rate, samples, variance, l2Variance] = numbers(row)
    assert.deepEqual([rate, samples], [400, 3])
    assert.equal(variance, 400 * 399 * squares(0))
    assert.ok(Math.abs(l2Variance! / (400 * 399 * squares(14)) - 1) < 1e-12)
    assert.equal(row.column('packets'), 1200)
    assert.equal(row.column('bytes'), 400 * 1546)
  })

  it('has a layer-2 variance though the frames are not IP', () => {
    const arp = sampled(400, [], { packets: 800, l2_bytes: 800 * 42, bytes: 0, observation_domain: 7 })
    const [rate, samples, variance, l2Variance] = numbers(attributedOne(new Lab(withSampling(400)).snapshot(), arp))
    assert.deepEqual([rate, samples, variance, l2Variance], [400, 2, 0, 400 * 399 * 2 * 42 ** 2])
  })

  it('has no variance and no samples when every packet is taken', () => {
    const row = attributedOne(new Lab(withSampling(1)).snapshot(), sampled(1, [100, 200], { observation_domain: 7 }))
    assert.deepEqual(numbers(row), [1, 0, 0, 0])
  })

  it('was multiplied by what OVS makes of a high rate: 1 in 100,000 is counted as 100,001', () => {
    const row = attributedOne(
      new Lab(withSampling(100_000)).snapshot(),
      sampled(100_001, [100], { observation_domain: 7 }),
    )
    assert.deepEqual(numbers(row).slice(0, 2), [100_001, 1])
  })

  it('of another sampler on the bridge has no rate: it is not the bridge’s', () => {
    const row = attributedOne(new Lab(withSampling(400)).snapshot(), sampled(50, [100], { observation_domain: 8 }))
    assert.deepEqual(numbers(row), [0, 0, 0, 0])
  })

  it('has the configured rate where OVSDB is not known, with a model and without', () => {
    const lab = new Lab(withSampling(400))
    for (const exporter of ['10.0.0.10', '10.9.9.9'])
      assert.deepEqual(
        numbers(attributedOne(lab.without('c0'), sampled(64, [100], { exporter }), { ipfixSampling: 64 })).slice(0, 2),
        [64, 1],
      )
  })

  it('keeps what a decoder knows already', () => {
    const told = sampled(10, [100], { samples: 1, sampling_rate: 10, bytes_variance: 900_000, l2_bytes_variance: 5 })
    assert.deepEqual(numbers(attributedOne(new Lab(withSampling(400)).snapshot(), told)), [10, 1, 900_000, 5])
  })
})
