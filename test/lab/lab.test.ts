import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { decodeCapture } from '../attribute/decoded.ts'
import { SERVER_OF, trafficOf, type Traffic } from '../attribute/truth.ts'
import { checkLab } from './check.ts'
import { MACHINES, NODES } from './cloud.ts'
import { down, up, whyNot } from './lab.ts'
import { record } from './record.ts'
import { run } from './shell.ts'
import { enter, FLUSH_MS, SITUATIONS } from './situations.ts'
import type { Counters } from './wiring.ts'

const skip = whyNot() ?? (process.env['OVSIGHT_LAB'] === '1' ? false : 'OVSIGHT_LAB=1 runs the lab')

/** ARP and neighbour discovery: the frames that are not IPv4 here, per packet and per machine and run. */
const LONGEST_OTHER_FRAME = 110
const MOST_OTHER_FRAMES = 12

describe('the lab', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ovsight-lab-'))

  before(up)
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

  for (const [index, situation] of SITUATIONS.entries()) {
    it(`${situation.what}: what every machine sent and received`, async () => {
      const recorded = join(folder, String(index))
      const truth = await record(recorded, { begin: () => enter(situation), flushMs: FLUSH_MS })
      const found = await totals(recorded)
      const known = new Set(Object.values(SERVER_OF))
      assert.deepEqual(
        [...found.keys()].filter((server) => !known.has(server)),
        [],
        'servers that do not exist',
      )
      for (const name of situation.machines ?? MACHINES.map((each) => each.name)) {
        const counted = found.get(SERVER_OF[name]!)
        const there = inTerms(truth.get(name)!)
        assert.ok(counted, `${name} is counted`)
        if (situation.holds === 'all') assert.deepEqual(counted, there, name)
        else holdsIpv4(name, counted, there)
      }
      if (index === 0) everyNodeIn(join(recorded, 'capture.pcap'))
    })
  }
})

/** Decoded, attributed, summed by server; the identity is the file and the OVSDB dumps of the run. */
async function totals(recorded: string): Promise<Map<string, Traffic>> {
  const batch = await decodeCapture(join(recorded, 'capture.pcap'))
  const { cloud } = await loadIdentityFile(join(recorded, 'identity.yaml'))
  new Attributor().attribute(batch, buildSnapshot(cloud, 0))
  return trafficOf(batch)
}

const inTerms = ({ txBytes, txPackets, rxBytes, rxPackets }: Counters): Traffic => ({
  sent: txBytes,
  sentPackets: txPackets,
  received: rxBytes,
  receivedPackets: rxPackets,
})

/** All but the few frames that are not IPv4. */
function holdsIpv4(name: string, counted: Traffic, there: Traffic): void {
  for (const direction of ['sent', 'received'] as const) {
    const frames = there[`${direction}Packets`] - counted[`${direction}Packets`]
    const bytes = there[direction] - counted[direction]
    assert.ok(frames >= 0 && frames <= MOST_OTHER_FRAMES, `${name} ${direction}: ${frames} frames are missing`)
    assert.ok(bytes >= 42 * frames && bytes <= LONGEST_OTHER_FRAME * frames, `${name} ${direction}: ${bytes} bytes in ${frames} frames`) // prettier-ignore
  }
}

function everyNodeIn(capture: string): void {
  const lines = run(['tcpdump', '-n', '-t', '-r', capture, 'udp dst port 4739'])
  const sources = new Set([...lines.matchAll(/^IP ([\d.]+)\.\d+ >/gm)].map((match) => match[1]))
  assert.deepEqual(sources, new Set(NODES.map((node) => node.address)))
}
