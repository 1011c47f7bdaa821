import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { diagnose, parseMetrics, STAGES, type Readings } from '../../src/cli/diagnose.ts'
import type { Exporter } from '../../src/query/exporters.ts'

const NOW = Date.UTC(2026, 0, 1)
const EXPORTER: Exporter = { exporter: '10.0.0.1', host: 'c0', protocol: 'sflow5', records: 100, domains: '0', bridges: 'br-int', rates: '64', templates: null, last_seen: new Date(NOW).toISOString(), percent: 100, lost: 0, undecoded: 0, faults: '', mixed: 0, unattributed: 0, evidence: '', clock_s: 0, limited: 0, clock_moved: 0 } // prettier-ignore
const SOUND: Readings = { metrics: [], running: true, exporters: [EXPORTER], sources: [{ source: 'file', target: 'cloud.yaml', state: 'ok', says: '' }], hosts: [{ host: 'c0', bridges: 'br-int', exports: 'br-int:sflow' }], options: { receive_buffer: 1000, gre: false }, nowMs: NOW } // prettier-ignore

/** One thing broken, what is said of it and how it is mended. */
const BROKEN: readonly (readonly [string, Partial<Readings>, RegExp, RegExp])[] = [
  ['the receive buffer is full', { metrics: parseMetrics('ovsight_receive_kernel_drops_total{listener="ipfix"} 12') }, /kernel dropped datagrams of ipfix/, /rmem_max/],
  ['the kernel grants a small buffer', { metrics: parseMetrics('ovsight_receive_buffer_bytes{listener="sflow"} 400') }, /smaller receive buffer/, /rmem_max/],
  ['datagrams come too fast', { metrics: parseMetrics('ovsight_datagrams_dropped_total{reason="overload"} 5') }, /faster than they can be stored/, /sample more coarsely/],
  ['a template is missing', { exporters: [{ ...EXPORTER, protocol: 'ipfix', faults: 'template_missing=3' }] }, /before its template/, /template_interval/],
  ['the rate of IPFIX is not known', { exporters: [{ ...EXPORTER, protocol: 'ipfix', rates: '0' }] }, /sampling rate of c0 \(10\.0\.0\.1\) ipfix is not known/, /ipfix_sampling/],
  ['engine ids collide', { exporters: [{ ...EXPORTER, protocol: 'netflow5', mixed: 40 }] }, /share one sequence number/, /ovsight setup c0 .*netflow/],
  ['OVSDB cannot be reached', { sources: [{ source: 'ovsdb', target: 'tcp:10.0.0.1:6640', state: 'fault', says: 'connect ECONNREFUSED' }] }, /ovsdb tcp:10\.0\.0\.1:6640 cannot be read/, /create Manager/],
  ['the user of OpenStack is a reader', { sources: [{ source: 'openstack', target: 'prod', state: 'fault', says: 'ovsight needs the admin role to see all projects' }] }, /openstack prod cannot be read/, /role add/],
  ['a clock is ahead', { exporters: [{ ...EXPORTER, clock_s: 90 }] }, /90 s ahead/, /chronyc/],
  ['an exporter sends too much', { exporters: [{ ...EXPORTER, limited: 5000 }] }, /more records than exporter_limit/, /sample more coarsely/],
  ['an exporter is silent', { exporters: [EXPORTER, { ...EXPORTER, exporter: '10.0.0.2', host: 'c1', last_seen: new Date(NOW - 3_600_000).toISOString() }] }, /c1 .* is silent/, /ovs-vsctl list sFlow/],
  ['records are lost on the way', { exporters: [{ ...EXPORTER, percent: 80, lost: 20 }] }, /80 % came/, /netstat/],
  ['an exporter is no known host', { exporters: [{ ...EXPORTER, host: '', unattributed: 50, evidence: 'no_host' }] }, /50 % of the records of 10\.0\.0\.1 sflow5 have no known end/, /add 10\.0\.0\.1 to the addresses/],
  ['a host exports nothing', { hosts: [...SOUND.hosts, { host: 'c1', bridges: 'br-int br-tun', exports: '' }] }, /1 of 2 hosts export from no bridge/, /ovsight setup c1/],
  ['the store is down', { metrics: parseMetrics('ovsight_spool_blocks 400\novsight_insert_failures_total 9') }, /does not take what comes/, /ClickHouse/],
  ['the store does not answer', { storeFault: 'ClickHouse http://ch:8123 does not answer' }, /store does not answer/, /curl URL\/ping/],
  ['the disk guard was at work', { metrics: parseMetrics('ovsight_disk_guard_partitions_total 1\novsight_disk_guard_rows_total{table="flows"} 9') }, /nearly full/, /keep_flows/],
  ['no raw socket may be opened', { options: { receive_buffer: 1, gre: true }, metrics: parseMetrics('ovsight_receive_buffer_bytes{listener="sflow"} 400') }, /GRE and ERSPAN are not received/, /CAP_NET_RAW/],
  ['the disk is full', { metrics: parseMetrics('ovsight_rows_dropped_total{reason="spool_full"} 1') }, /rows were lost after decoding/, /spool_max/],
] // prettier-ignore

describe('the findings of doctor', () => {
  it('are none when nothing is wrong', () => {
    const found = diagnose({ ...SOUND, metrics: parseMetrics('ovsight_receive_datagrams_total{listener="sflow"} 9') })
    assert.deepEqual(found.map(({ stage }) => stage), STAGES) // prettier-ignore
    assert.ok(found.every(({ state }) => state === 'ok'))
  })
  it('say what was not looked at where no collector runs', () => {
    const found = diagnose({ ...SOUND, running: false, exporters: [], sources: [], hosts: [] })
    assert.deepEqual(
      found.map(({ stage, state }) => `${stage} ${state}`),
      ['exporters warn', 'sockets unknown', 'decoders unknown', 'identity unknown', 'store ok'],
    )
  })
  for (const [name, readings, what, mend] of BROKEN)
    it(`name it and what mends it when ${name}`, () => {
      const found = diagnose({ ...SOUND, ...readings }).filter(({ state }) => state !== 'ok')
      assert.equal(found.length, 1, JSON.stringify(found))
      assert.match(found[0]!.what, what)
      assert.match(found[0]!.mend, mend)
      assert.notEqual(found[0]!.evidence, '')
    })
})
