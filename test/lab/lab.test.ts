import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { SERVER_OF } from '../attribute/truth.ts'
import { checkLab } from './check.ts'
import { startCollector, type Collector } from './collector.ts'
import { MACHINES, NODES, endpoint } from './cloud.ts'
import { EXPORT_DEFAULTS, switchOn } from './exports.ts'
import { down, up, whyNot } from './lab.ts'
import { injectLoss, lossSoFar, stopLoss } from './loss.ts'
import { measure, record } from './record.ts'
import { sleep } from './shell.ts'
import { auditAgrees, northSouth, projectTotals, tenantsApart, until } from './shows.ts'
import { enter, FLUSH_MS, SITUATIONS, type Situation } from './situations.ts'
import { recordedTotals, topTotals, type Total } from './totals.ts'
import { ping, type Truth } from './traffic.ts'

const skip = whyNot() ?? (process.env['OVSIGHT_LAB'] === '1' ? false : 'OVSIGHT_LAB=1 runs the lab')

/** ARP and neighbour discovery of one machine in one run. */
const MOST_OTHER_FRAMES = 20
const LONGEST_OTHER_FRAME = 110
/** Rows are stored a second after they came. */
const STORED_MS = 2000
/** Below this many samples a sum is not near enough to normal for its half-width to mean 95 %. */
const LEAST_SAMPLES = 20
/** Counters of OVSDB are up to five seconds old, on a busy machine more: what flows sooner may be on either side of the first reading. */
const READ_MS = 8000

describe('the lab', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ovsight-lab-'))
  let collectors = 0
  let collector: Collector | undefined

  /** `ovsight collect` with a store of its own, after `switchExports`: it reads the nodes' OVSDB when it starts. */
  const collecting =
    (switchExports: () => void, audited = false) =>
    async (): Promise<void> => {
      await collector?.stop()
      switchExports()
      collector = await startCollector(join(folder, `data-${++collectors}`))
      if (!audited) return
      await until("every node's counters are read", () =>
        collector!.metric('ovsight_statistics_answers_total') >= 2 * NODES.length ? '' : 'not yet',
      )
      await sleep(READ_MS)
    }

  before(up)
  after(async () => {
    await collector?.stop()
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
    it(`${situation.what}: what every machine sent and received`, async (test) => {
      const recorded = join(folder, String(index))
      const begin = collecting(() => enter(situation), situation.audited)
      const truth = await record(recorded, { begin, flushMs: FLUSH_MS, factor: situation.factor ?? 1 })
      agree(situation, await recordedTotals(recorded), truth)
      await sleep(STORED_MS)
      const totals = topTotals(collector!.top('server'))
      agree(situation, totals, truth)
      if (situation.holds === 'estimate') test.diagnostic(mostInside(totals, truth))
      tenantsApart(collector!)
      if (situation.holds === 'all' && situation.machines === undefined) {
        projectTotals(collector!, truth)
        northSouth(collector!, truth)
      }
      if (situation.audited === true) await auditAgrees(collector!)
    })
  }

  it('datagrams lost on the way: as many as were dropped, a completeness, and their name in the audit', async () => {
    const options = { ...EXPORT_DEFAULTS, cacheTimeout: 0, cacheFlows: 0 }
    const begin = collecting(() => {
      enter({ what: 'nothing', kinds: [], holds: 'all' })
      switchOn('ipfix', options)
      injectLoss(['ipfix'], 10, false)
    }, true)
    await measure({ begin, flushMs: FLUSH_MS })
    const dropped = lossSoFar()[0]!
    stopLoss()
    const counted = collector!.metric('ovsight_exporter_lost_records_total', 'ipfix')
    assert.ok(dropped.lost > 100, `${dropped.lost} were dropped`)
    // A template message does not advance the sequence, and what comes last has nothing behind it.
    assert.ok(counted <= dropped.lost && counted >= 0.97 * dropped.lost - 3, `${counted} counted of ${dropped.lost}`)
    const arrived = 100 * (1 - dropped.lost / dropped.datagrams)
    await until('the completeness is that of the datagrams', () => {
      const sums = collector!.ask('/api/v1/completeness?last=1h').map((row) => [Number(row['expected']), Number(row['missing'])]) // prettier-ignore
      const [expected, missing] = sums.reduce(([a, b], [c, d]) => [a! + c!, b! + d!], [0, 0])
      return Math.abs(100 * (1 - missing! / expected!) - arrived) <= 1
        ? ''
        : `${missing} of ${expected}, not ${arrived}`
    })
    await until('the audit names the loss', () => {
      const [sent] = collector!.audit('red-1').filter((row) => row['direction'] === 'sent')
      return sent?.['cause'] === 'losses' ? '' : JSON.stringify(sent)
    })
  })

  it('an exporter switched off on one bridge: the audit names it for the servers there, and agrees with the others', async () => {
    const onTwo: Situation = { what: 'IPFIX on two nodes', kinds: ['ipfix'], options: { nodes: ['c0', 'n0'] }, holds: 'all' } // prettier-ignore
    await measure({ begin: collecting(() => enter(onTwo), true), flushMs: FLUSH_MS })
    await until('the audit names the bridge', () => {
      const rows = collector!.audit().filter((row) => row['direction'] === 'sent')
      const wrong = rows.filter(({ host, verdict, cause, note }) =>
        host === 'c1'
          ? verdict !== 'short' || cause !== 'no_exporter' || !String(note).includes('br-int of c1')
          : verdict !== 'agrees',
      )
      return rows.length === MACHINES.length && wrong.length === 0 ? '' : JSON.stringify(wrong)
    })
  })

  it('a restart: saved templates decode the first data; without them it waits for its template', async (test) => {
    const KNOWN_ONLY = ['--presume-templates', 'false']
    const [rows, waited] = ['ovsight_rows_total', 'ovsight_sets_waited_total']
    const start = async (name: string) => {
      await collector?.stop()
      collector = await startCollector(join(folder, name), KNOWN_ONLY)
    }
    const some = (what: string, name: string, label: string) =>
      until(what, () => (collector!.metric(name, label) > 0 ? '' : 'none yet'))
    const options = { ...EXPORT_DEFAULTS, cacheTimeout: 0, cacheFlows: 0, nodes: ['c0'] }
    // Exports begin when somebody listens: their templates come once in ten minutes.
    enter({ what: 'nothing', kinds: [], holds: 'all' })
    await start('templates')
    switchOn('ipfix', options)
    ping('r8', endpoint('r9').address, 4)
    await some('rows before the restart', rows, 'ipfix')
    await sleep(STORED_MS)
    await start('templates')
    ping('r8', endpoint('r9').address, 4)
    await some('rows after it', rows, 'ipfix')
    assert.equal(collector!.metric(waited, 'held'), 0, 'none had to wait')
    await start('no-templates')
    ping('r8', endpoint('r9').address, 4)
    await some('sets that wait', waited, 'held')
    assert.equal(collector!.metric(rows, 'ipfix'), 0)
    const wait = collector!.metric(waited, 'held')
    // Its next template is ten minutes away, unless it begins anew: from another port, so another session, of the same domain. It sends
    // templates before the first record.
    switchOn('ipfix', options)
    ping('r8', endpoint('r9').address, 1)
    await until('what waited is decoded', () => {
      const decoded = collector!.metric(waited, 'decoded')
      return decoded === wait ? '' : `${decoded} of ${wait} sets`
    })
    assert.ok(collector!.metric(rows, 'ipfix') >= wait)
    test.diagnostic(`${wait} sets waited`)
  })
})

function agree(situation: Situation, totals: Map<string, Total>, truth: Truth): void {
  const servers = new Set(Object.values(SERVER_OF))
  const strangers = [...totals.keys()].filter((server) => !servers.has(server))
  assert.deepEqual(strangers, [], 'servers that are none')
  for (const name of situation.machines ?? MACHINES.map((each) => each.name)) {
    const { txBytes, txPackets, rxBytes, rxPackets } = truth.get(name)!
    const total = totals.get(SERVER_OF[name]!)
    assert.ok(total, `${name} is counted`)
    CHECKS[situation.holds](`${name} sent`, total.sent, { bytes: txBytes, packets: txPackets })
    CHECKS[situation.holds](`${name} received`, total.received, { bytes: rxBytes, packets: rxPackets })
  }
}

/**
 * Of estimates 19 in 20 lie within the half-width that they state. What one machine sends another receives, so a dozen of them are five or six of
 * their own, and of so few half do in all but one run in hundreds. Says how many.
 */
function mostInside(totals: Map<string, Total>, truth: Truth): string {
  const estimates = MACHINES.flatMap(({ name }) => {
    const { sent, received } = totals.get(SERVER_OF[name]!)!
    const { txBytes, rxBytes } = truth.get(name)!
    return [
      { ...sent, there: txBytes },
      { ...received, there: rxBytes },
    ]
  }).filter(({ packets }) => packets >= LEAST_SAMPLES * 8)
  const inside = estimates.filter(({ bytes, bytesError, there }) => Math.abs(bytes - there) <= bytesError)
  const text = `${inside.length} of ${estimates.length} estimates within the half-width that they state`
  assert.ok(inside.length >= 0.5 * estimates.length, text)
  return text
}

type Check = (what: string, counted: Total['sent'], there: { bytes: number; packets: number }) => void

const CHECKS: Record<Situation['holds'], Check> = {
  all(what, { bytes, packets }, there) {
    assert.deepEqual({ bytes, packets }, there, what)
  },
  /** All but the few frames that are not IPv4. */
  ipv4(what, counted, there) {
    const frames = there.packets - counted.packets
    const bytes = there.bytes - counted.bytes
    assert.ok(frames >= 0 && frames <= MOST_OTHER_FRAMES, `${what}: ${frames} frames are missing`)
    assert.ok(
      bytes >= 42 * frames && bytes <= LONGEST_OTHER_FRAME * frames,
      `${what}: ${bytes} bytes in ${frames} frames`,
    )
  },
  /** Within 2.5 times the half-width that it states, five standard errors: some forty estimates a run may not cry wolf. */
  estimate(what, { bytes, packets, bytesError }, there) {
    const rate = 8
    if (packets < LEAST_SAMPLES * rate) return
    assert.ok(bytesError > 0, `${what}: an estimate states its error`)
    assert.ok(
      Math.abs(bytes - there.bytes) <= 2.5 * bytesError,
      `${what}: ${bytes} ± ${bytesError}, there were ${there.bytes}`,
    )
  },
}
