import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { checkLab } from './check.ts'
import { MACHINES, NODES } from './cloud.ts'
import { EXPORT_DEFAULTS, switchOn } from './exports.ts'
import { down, up, whyNot } from './lab.ts'
import { record } from './record.ts'
import { run } from './shell.ts'
import type { Truth } from './traffic.ts'

const skip = whyNot() ?? (process.env['OVSIGHT_LAB'] === '1' ? false : 'OVSIGHT_LAB=1 runs the lab')

describe('the lab', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ovsight-lab-'))
  let truth: Truth

  before(async () => {
    up()
    const ipfix = { ...EXPORT_DEFAULTS, cacheTimeout: 2 }
    truth = await record(folder, { begin: () => switchOn('ipfix', ipfix), flushMs: 4000 })
  })
  after(() => {
    down()
    rmSync(folder, { recursive: true })
  })

  it('is a cloud: networks, routers, floating IPs and SNAT work, projects are apart', async () => {
    const findings = await checkLab()
    assert.deepEqual(
      findings.filter((each) => !each.ok).map((each) => each.what),
      [],
    )
  })

  it('gets IPFIX from every node to the collector, templates included', () => {
    const sources = run(['tcpdump', '-n', '-t', '-r', join(folder, 'capture.pcap'), 'udp dst port 4739']).matchAll(
      /^IP ([\d.]+)\.\d+ >/gm,
    )
    assert.deepEqual(new Set([...sources].map((match) => match[1])), new Set(NODES.map((node) => node.address)))
  })

  it('has moved bytes at every machine', () => {
    for (const { name } of MACHINES) {
      const counters = truth.get(name)
      assert.ok(counters !== undefined && counters.txBytes > 1000 && counters.rxBytes > 1000, name)
    }
  })

  it('keeps the databases as ovsdb-client dumps them', () => {
    const dump = readFileSync(join(folder, 'ovsdb-c0.json'), 'utf8')
    for (const { port } of MACHINES.filter((each) => each.port.node.name === 'c0')) assert.ok(dump.includes(port.id))
  })
})
