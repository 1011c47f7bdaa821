/** Traffic that comes before the model knows whose it is, and a collector that is killed while it sets that right. */
import assert from 'node:assert/strict'
import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PCAPS } from '../paths.ts'
import { NO_ENGINE, collector, temporary, type Running } from './cli.ts'
import { STORED, ALIASES, metric, send, until } from './exports.ts'

type Rows = Record<string, unknown>[]

const ROWS = 88

async function ask(running: Running, question: string): Promise<Rows> {
  const answer = await fetch(`${running.url}/api/v1/${question}&n=1000`)
  assert.equal(answer.status, 200)
  return (await answer.json()) as Rows
}

/** What people ask, every sum of it. */
async function totals(running: Running): Promise<Rows[]> {
  const questions = ['dimension=server', 'dimension=project', 'dimension=src_port,dst_port,role&count=all']
  return Promise.all(questions.map((words) => ask(running, `top?${words}`)))
}

/** Every column of every record but when it came and what numbers it. */
async function records(running: Running): Promise<string[]> {
  const rows = await ask(running, 'flows?')
  const own = (row: Record<string, unknown>) =>
    Object.entries(row).filter(([name]) => !/^(time_received|time_stored|late_id|flow_start|flow_end|id)$/.test(name))
  return rows.map((row) => JSON.stringify(own(row))).toSorted()
}

/** The first difference only: two lists of records are no message. */
function sameRecords(found: readonly string[], wanted: readonly string[]): void {
  assert.equal(found.length, wanted.length)
  for (const [i, record] of wanted.entries()) {
    const columns = (text: string) => JSON.parse(text) as [string, unknown][]
    const other = new Map(columns(found[i]!))
    for (const [name, value] of columns(record)) assert.deepEqual([name, other.get(name)], [name, value], `record ${i}`)
  }
}

class Lab {
  readonly data = join(temporary(), 'data')
  readonly folder = temporary()
  readonly file = join(this.folder, 'cloud.yaml')
  private readonly whole: string

  constructor() {
    cpSync(`${PCAPS}ipfix`, this.folder, { recursive: true })
    this.whole = readFileSync(join(this.folder, 'identity.yaml'), 'utf8')
    this.write('hosts: []\n')
  }

  start(workers: number): Promise<Running> {
    return collector(['--data', this.data, '--identity', this.file, '--workers', String(workers), ...ALIASES])
  }

  /** The model learns what the hosts' OVSDBs say, which know a port before Neutron's list has it. */
  learnSwitches(): void {
    this.write(this.whole.slice(0, this.whole.indexOf('projects:')))
  }

  /** The model learns everything. */
  learn(): void {
    this.write(this.whole)
  }

  private write(text: string): void {
    writeFileSync(`${this.file}.new`, text)
    renameSync(`${this.file}.new`, this.file)
  }
}

/** A collector that has stored the capture with what its model knows by now. */
async function stored(lab: Lab, workers: number): Promise<Running> {
  const running = await lab.start(workers)
  await send('ipfix', running.port('IPFIX'))
  await until('insertion', async () => (await metric(running.url, STORED)) >= ROWS)
  return running
}

/** What a collector answers that knew from the start. */
async function knowing(): Promise<{ totals: Rows[]; records: string[]; waiting: number }> {
  const lab = new Lab()
  lab.learn()
  const running = await stored(lab, 1)
  // Stations of the outside network itself: their addresses could be floating IPs that are still to be told of.
  const waiting = await metric(running.url, 'ovsight_late_rows')
  assert.ok(waiting < ROWS / 2, `${waiting} rows wait`)
  const seen = { totals: await totals(running), records: await records(running), waiting }
  await running.stop()
  return seen
}

async function untilWaiting(running: Running, rows: number): Promise<void> {
  await until('late truth', async () => {
    const waiting = await metric(running.url, 'ovsight_late_rows')
    return waiting === rows && (await metric(running.url, 'ovsight_spool_blocks')) === 0
  })
}

describe('late truth', { skip: NO_ENGINE }, () => {
  let right: Awaited<ReturnType<typeof knowing>>
  before(async () => {
    right = await knowing()
  })

  it('rows stored before the model knew become those of a collector that knew from the start, to the byte', async () => {
    const lab = new Lab()
    const running = await stored(lab, 1)
    assert.equal(await metric(running.url, 'ovsight_late_rows'), ROWS)
    const [servers] = await totals(running)
    assert.deepEqual(servers, [])
    lab.learn()
    await untilWaiting(running, right.waiting)
    assert.equal(await metric(running.url, 'ovsight_late_resolved_total'), ROWS)
    assert.deepEqual(await totals(running), right.totals)
    sameRecords(await records(running), right.records)
    await running.stop()
  })

  for (const workers of [1, 2])
    it(`begins for what comes after a reload that named a source first (workers ${workers})`, async () => {
      const lab = new Lab()
      const config = join(lab.folder, 'ovsight.yaml')
      writeFileSync(config, `workers: ${workers}\n`)
      const running = await collector(['--data', lab.data, '--config', config, ...ALIASES])
      writeFileSync(config, `workers: ${workers}\nidentity: ${lab.file}\n`)
      process.kill(running.pid, 'SIGHUP')
      await until('reload', async () => (await metric(running.url, 'ovsight_reloads_total{result="taken"}')) === 1)
      await send('ipfix', running.port('IPFIX'))
      await until('insertion', async () => (await metric(running.url, STORED)) >= ROWS)
      assert.equal(await metric(running.url, 'ovsight_late_rows'), ROWS)
      lab.learn()
      await untilWaiting(running, right.waiting)
      assert.deepEqual(await totals(running), right.totals)
      await running.stop()
    })

  it('two workers, ports that OVSDB knew before Neutron did, killed in between: nothing is lost and nothing doubled', async () => {
    const lab = new Lab()
    lab.learnSwitches()
    let running = await stored(lab, 2)
    assert.ok((await metric(running.url, 'ovsight_late_rows')) > ROWS / 2)
    const [servers] = await totals(running)
    assert.ok(servers!.every((row) => row['project'] === ''))
    lab.learn()
    // Before the model knows, while it is read (every two seconds), and about when rows are replaced.
    for (const pause of [0, 2_300, 20]) {
      await sleep(pause)
      await running.stop('SIGKILL')
      running = await lab.start(2)
    }
    await untilWaiting(running, right.waiting)
    assert.deepEqual(await totals(running), right.totals)
    sameRecords(await records(running), right.records)
    await running.stop()
  })
})
