/** What must hold of a collector's answers besides the totals of each server. */
import assert from 'node:assert/strict'
import { SERVER_OF } from '../attribute/truth.ts'
import { MACHINES } from './cloud.ts'
import type { Collector } from './collector.ts'
import { sleep } from './shell.ts'
import type { Truth } from './traffic.ts'

/** Rows beside the flows are written every ten seconds, and OVSDB's counters are five seconds old. */
const SOON_MS = 30_000
const PAUSE_MS = 1000

/** Waits until `wrong` is empty: what it says at last is the message. */
export async function until(what: string, wrong: () => string): Promise<void> {
  const end = Date.now() + SOON_MS
  for (;;) {
    const text = wrong()
    if (text === '') return
    assert.ok(Date.now() < end, `${what}: ${text}`)
    await sleep(PAUSE_MS)
  }
}

const projectOf = (machine: string): string => (machine.startsWith('r') ? 'red' : 'blue')

/** Not a byte of one tenant is on a port of the other, nor between the two. */
export function tenantsApart(collector: Collector): void {
  const between = collector.top('src_project', 'dst_project', '--count', 'all')
  const mixed = between.filter(({ src_project: from, dst_project: to }) => from !== '' && to !== '' && from !== to)
  assert.deepEqual(mixed, [], 'traffic between tenants')
  const owners = new Map(MACHINES.map(({ name, port }) => [port.id, projectOf(name)]))
  for (const row of collector.top('port', '--count', 'all')) {
    const owner = owners.get(String(row['port_id']))
    if (owner !== undefined) assert.equal(row['project'], owner, `port ${String(row['port_id'])}`)
  }
}

/** Projects hold what their servers' interfaces counted, whatever is exported where. */
export function projectTotals(collector: Collector, truth: Truth): void {
  const rows = new Map(collector.top('project').map((row) => [row['project'], row]))
  for (const project of ['red', 'blue']) {
    const own = MACHINES.filter(({ name }) => projectOf(name) === project).map(({ name }) => truth.get(name)!)
    const sum = (of: 'txBytes' | 'rxBytes') => own.reduce((total, each) => total + each[of], 0)
    const row = rows.get(project)
    assert.deepEqual(
      [row?.['sent_l2_bytes'], row?.['received_l2_bytes']],
      [sum('txBytes'), sum('rxBytes')],
      `project ${project}`,
    )
  }
}

/** What went outside and came from there is its servers', on whichever side of the translation it is seen, and once. */
export function northSouth(collector: Collector, truth: Truth): void {
  const rows = collector.top('server', 'traffic_class')
  const of = (way: string) => rows.filter((row) => row['traffic_class'] === way)
  const outside = truth.get('ext')!
  for (const [way, figure, there] of [
    ['north_south_out', 'sent_l2_bytes', outside.rxBytes],
    ['north_south_in', 'received_l2_bytes', outside.txBytes],
  ] as const) {
    const total = of(way).reduce((sum, row) => sum + Number(row[figure]), 0)
    // The routers' ARP is in the outside host's counters, and no server's.
    assert.ok(total <= there && there - total <= 0.01 * there + 1000, `${way}: ${total} of ${there}`)
  }
  const floating = of('north_south_out').find((row) => row['server'] === SERVER_OF['r8'])
  // 150 kB but for what iperf3 had not sent yet when it ended.
  assert.ok(Number(floating?.['sent_l2_bytes']) > 100_000, 'the server with the floating IP')
  assert.equal(floating!['l2_bytes'], floating!['sent_l2_bytes'], 'counted once')
}

/** `ovsight audit` agrees with the counters of every machine's port, in both directions. */
export async function auditAgrees(collector: Collector): Promise<void> {
  await until('ovsight audit agrees', () => {
    const rows = collector.audit()
    const wrong = rows.filter((row) => row['verdict'] !== 'agrees')
    if (rows.length === 2 * MACHINES.length && wrong.length === 0) return ''
    return `${rows.length} rows, ${JSON.stringify(wrong)}`
  })
}
