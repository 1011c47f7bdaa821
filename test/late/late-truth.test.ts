/** Late truth beside a store and a model of the test's own; test/e2e/late.test.ts has the real ones. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { UNSURE, unsureBy, type OnUnsure } from '../../src/attribute/unsure.ts'
import { AppError } from '../../src/errors.ts'
import { LateTruth, type LateOptions } from '../../src/late/late-truth.ts'
import { RawRows } from '../../src/late/raw-rows.ts'
import { UnsureRows } from '../../src/late/unsure-rows.ts'
import { FlowBatch, getU64, setTime } from '../../src/schema/batch.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { enumCodes } from '../../src/schema/enums.ts'
import type { Block, QueryPlan, Rows } from '../../src/store/store.ts'

const EVIDENCE = enumCodes('evidence')
const T = Date.UTC(2026, 0, 1)

describe('late truth', () => {
  let data: string
  let now: number
  /** Ports by `sequence`: what the model knows of source and destination. */
  let model: Map<number, [source: string, destination: string]>
  let version: number
  /** late_id of the rows that the store holds. */
  let held: Set<number>
  let blocks: Block[]
  let inherited: number
  let storeFails: boolean
  let said: string[]
  let late: LateTruth
  let told: UnsureRows

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'ovsight-late-'))
    now = T
    model = new Map()
    version = 0
    held = new Set()
    blocks = []
    inherited = 0
    storeFails = false
    said = []
  })
  afterEach(async () => {
    await late.stop()
    rmSync(data, { recursive: true, force: true })
  })

  function make(options: Partial<LateOptions> = {}): LateTruth {
    told = new UnsureRows(options.maxRows ?? 1_600)
    late = new LateTruth(
      {
        store: {
          query({ params }: QueryPlan): Promise<Rows> {
            if (storeFails) return Promise.reject(new AppError('store_unreachable', 'gone'))
            const rows = (params['ids'] as number[]).filter((id) => held.has(id)).map((id) => ({ late_id: id }))
            return Promise.resolve({ columns: [], rows, elapsedS: 0, rowsRead: 0 })
          },
        },
        attribute,
        enqueue(block) {
          for (const id of block.replaces?.ids ?? []) assert.ok(held.delete(id), 'a row is replaced that is not there')
          blocks.push({ ...block, bytes: block.bytes.slice() })
          block.release?.()
          return Promise.resolve()
        },
        inherited: () => inherited,
        version: () => version,
        log: { warn: (_, message) => void said.push(message) },
      },
      { data, windowMs: 600_000, maxRows: 1_600, now: () => now, ...options },
    )
    return late
  }

  /** A port whose name begins with ? is one that only OVSDB knows. */
  function attribute(batch: FlowBatch, onUnsure: OnUnsure): void {
    const { columns: c, strings } = batch
    for (let row = 0; row < batch.rows; row++) {
      const ends = model.get(c.sequence[row]!) ?? ['', '']
      const [source, destination] = ends.map((port) => port.replace('?', '')) as typeof ends
      c.src_evidence[row] = source === '' ? EVIDENCE.no_interface : EVIDENCE.ofport
      c.dst_evidence[row] = destination === '' ? EVIDENCE.several_matches : EVIDENCE.network_address
      let unsure = unsureBy(c.src_evidence[row]!, c.dst_evidence[row]!)
      if (ends[0].startsWith('?')) unsure |= UNSURE.source
      if (ends[1].startsWith('?')) unsure |= UNSURE.destination
      if (unsure !== 0) onUnsure(batch, row, unsure, source, destination)
      c.src_port_id[row] = strings.intern(source)
      c.dst_port_id[row] = strings.intern(destination)
    }
  }

  /** A sealed block of rows with these sequences; what of it is unsure is in the store then. */
  async function seal(...sequences: number[]): Promise<number[]> {
    const batch = new FlowBatch(Math.max(16, sequences.length))
    for (const sequence of sequences) {
      batch.columns.sequence[batch.rows] = sequence
      setTime(batch.columns.time_received, batch.rows, now)
      batch.rows++
    }
    attribute(batch, told.onUnsure)
    const waiting = told.take()
    if (waiting !== undefined) await late.take(waiting.rows, waiting.refused)
    const ids = sequences.map((_, row) => getU64(batch.columns.late_id, row))
    for (const id of ids) if (id !== 0) held.add(id)
    return ids
  }

  async function settle(): Promise<void> {
    now += 60_000
    late.tick()
    await late.idle()
  }

  it('numbers only rows with an end that is not known; all others stay as they are', async () => {
    make()
    model.set(1, ['a', 'b'])
    const ids = await seal(1, 2, 1)
    assert.deepEqual([ids[0], ids[2]], [0, 0])
    assert.ok(ids[1]! > 2 ** 32 && Number.isSafeInteger(ids[1]))
    assert.equal(late.waiting, 1)
  })

  it('replaces what the model knows by now, once, and nothing else', async () => {
    make()
    const [one, two] = await seal(1, 2)
    model.set(1, ['a', 'b'])
    version++
    await settle()
    assert.deepEqual([blocks.length, blocks[0]!.rows, blocks[0]!.replaces!.ids], [1, 1, [one]])
    assert.deepEqual([late.counters.resolved, late.waiting], [1, 1])
    await settle()
    assert.equal(blocks.length, 1)
    version++
    model.set(2, ['c', 'd'])
    await settle()
    assert.deepEqual(blocks[1]!.replaces!.ids, [two])
    assert.equal(late.waiting, 0)
    assert.deepEqual(readdirSync(join(data, 'late')), [])
  })

  it('is not tried again while the model is the same', async () => {
    make()
    await seal(1)
    await settle()
    model.set(1, ['a', 'b'])
    await settle()
    assert.equal(blocks.length, 0)
  })

  it('a row of which one end becomes known goes on waiting for the other, under a new number', async () => {
    make()
    await seal(1)
    model.set(1, ['a', ''])
    version++
    await settle()
    assert.deepEqual([blocks.length, late.waiting], [1, 1])
    // The store now holds it under that number, which is in the block.
    const id = RawRows.fromBytes(readFileSync(join(data, 'late', readdirSync(join(data, 'late'))[0]!)))!.waiting[0]!.id
    held.add(id)
    model.set(1, ['a', 'b'])
    version++
    await settle()
    assert.deepEqual(blocks[1]!.replaces!.ids, [id])
    assert.equal(late.waiting, 0)
  })

  it('an end that was known is never given to another port, nor a known one lost for an unknown one', async () => {
    make()
    model.set(1, ['a', ''])
    model.set(2, ['a', ''])
    await seal(1, 2)
    model.set(1, ['x', 'b'])
    model.set(2, ['', 'b'])
    version++
    await settle()
    assert.deepEqual([blocks.length, late.waiting], [0, 2])
  })

  it('a port that only OVSDB knew is told anew once Neutron tells of it, and stays that port', async () => {
    make()
    model.set(1, ['?a', 'b'])
    model.set(2, ['?a', ''])
    model.set(3, ['?a', 'b'])
    const [one, two] = await seal(1, 2, 3)
    version++
    await settle()
    assert.equal(blocks.length, 0, 'nothing is known that was not')
    model.set(1, ['a', 'b'])
    model.set(2, ['?a', 'b'])
    model.set(3, ['x', 'b'])
    version++
    await settle()
    assert.deepEqual([blocks.length, blocks[0]!.replaces!.ids], [1, [one, two]])
    assert.equal(late.waiting, 2, 'the port of one is still to come, the other would become another')
  })

  it('a port that OVSDB tells before Neutron does is better than none', async () => {
    make()
    const [one] = await seal(1)
    model.set(1, ['?a', ''])
    version++
    await settle()
    assert.deepEqual([blocks[0]!.replaces!.ids, late.waiting], [[one], 1])
  })

  it('a row whose block the store does not hold yet waits for it', async () => {
    make()
    const [id] = await seal(1)
    held.clear()
    model.set(1, ['a', 'b'])
    version++
    await settle()
    assert.equal(blocks.length, 0)
    held.add(id!)
    await settle()
    assert.equal(blocks.length, 1)
  })

  it('is given up after the window, and counted', async () => {
    make({ windowMs: 100_000 })
    await seal(1, 2)
    await settle()
    assert.equal(late.waiting, 2)
    await settle()
    assert.deepEqual([late.waiting, late.counters.expired], [0, 2])
    model.set(1, ['a', 'b'])
    version++
    await settle()
    assert.equal(blocks.length, 0)
  })

  it('is bounded: of one block, and in all, where those go that wait for longest', async () => {
    make({ maxRows: 1_600 })
    const ids = await seal(...Array.from({ length: 150 }, (_, i) => i))
    assert.equal(ids.filter((id) => id !== 0).length, 100)
    assert.equal(late.counters.overflow, 50)
    for (let block = 0; block < 20; block++) await seal(...Array.from({ length: 100 }, (_, i) => i))
    assert.equal(late.waiting, 1_600)
    assert.equal(late.counters.overflow, 50 + 500)
    assert.equal(readdirSync(join(data, 'late')).length, 16)
  })

  it('outlives the process: what an earlier one replaced already is not replaced again', async () => {
    make()
    await late.start()
    const [one, two] = await seal(1, 2)
    // The earlier process replaced the first row and ended before it could forget it.
    held.delete(one!)
    make()
    await late.start()
    assert.equal(late.waiting, 2)
    model.set(1, ['a', 'b'])
    model.set(2, ['a', 'b'])
    version++
    inherited = 1
    await settle()
    assert.equal(blocks.length, 0, 'blocks of the earlier process come first')
    inherited = 0
    await settle()
    assert.deepEqual(
      blocks.map((block) => block.replaces!.ids),
      [[two]],
    )
    assert.equal(late.waiting, 0)
  })

  it('a store that does not answer is named once, and asked again', async () => {
    make()
    await seal(1)
    model.set(1, ['a', 'b'])
    version++
    storeFails = true
    await settle()
    await settle()
    assert.equal(said.length, 1)
    storeFails = false
    await settle()
    assert.equal(blocks.length, 1)
  })

  it('files that are cut or damaged, at every length, are as none', async () => {
    make()
    await late.start()
    await seal(1, 2, 3)
    const file = join(data, 'late', readdirSync(join(data, 'late'))[0]!)
    const whole = readFileSync(file)
    for (let length = 0; length < whole.length; length += 7)
      assert.equal(RawRows.fromBytes(whole.subarray(0, length)), undefined, String(length))
    truncateSync(file, 100)
    writeFileSync(join(data, 'late', 'else'), 'x')
    make()
    await late.start()
    assert.equal(late.waiting, 0)
    assert.deepEqual(readdirSync(join(data, 'late')), [])
  })
})

describe('rows as decoders gave them', () => {
  it('come back from memory and from a file with every raw column as it was', () => {
    const batch = new FlowBatch(64)
    for (const [i, name] of COLUMN_NAMES.entries()) batch.columns[name].fill((i * 7) % 200)
    for (let i = 0; i < 200; i++) batch.strings.intern(`text ${i}`)
    batch.rows = 3
    const raw = new RawRows(8)
    for (let row = 0; row < 3; row++) raw.add(batch, row, { id: row + 1, ends: 3, known: ['', ''] })
    for (const kept of [raw, raw.trimmed(), RawRows.fromBytes(raw.toBytes())!]) {
      const back = new FlowBatch(64)
      for (let row = 0; row < 3; row++) kept.copyTo(back, row)
      assert.deepEqual(kept.waiting, raw.waiting)
      for (const name of ['flow_end', 'exporter', 'src_mac', 'bytes_variance', 'packets', 'corrections'] as const)
        assert.deepEqual(back.columns[name].slice(0, 3), batch.columns[name].slice(0, 3), name)
      const text = (from: FlowBatch) => from.strings.values[from.columns.in_if_name[2]!]
      assert.equal(text(back), text(batch))
      assert.equal(back.columns.src_project_id[0], 0)
    }
  })
})
