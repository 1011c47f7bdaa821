/** Rows for the bench of the store: those of the bundled captures, attributed, repeated with varied ends. */
import { Attributor } from '../src/attribute/attributor.ts'
import { loadConfig } from '../src/config/load.ts'
import { buildSnapshot } from '../src/identity/snapshot/build.ts'
import { loadIdentityFile } from '../src/identity/sources/file.ts'
import { buildPipeline } from '../src/pipeline/build.ts'
import { Replay } from '../src/pipeline/replay.ts'
import { FlowBatch, getU64, setTime, setU64 } from '../src/schema/batch.ts'
import { COLUMN_NAMES, type ColumnName, columnFacts } from '../src/schema/columns.ts'
import { KINDS } from '../src/schema/kinds.ts'
import { readCapture } from '../src/wire/capture.ts'
import { fileBytes } from '../src/wire/source.ts'
import { PCAPS } from '../test/paths.ts'
import { type Conversation, Conversations, Strangers, type Talk } from './conversations.ts'

const PORTS = new Map([
  [2055, 'netflow'],
  [4739, 'ipfix'],
  [6343, 'sflow'],
] as const)
/** Copies of the lab's cloud (two projects, seven servers, three hosts) that the rows are spread over. */
const CLOUDS = 200
/** Rows a second of the time that the rows cover, from T0 on. */
const RATE = 20_000
const T0 = Date.UTC(2025, 10, 23)

/** When the rows were. */
export interface Pace {
  fromMs: number
  /** Rows a second. */
  rate: number
}

const UUID = /^[0-9a-f]{8}-/
const COLUMNS = COLUMN_NAMES.map((name) => {
  const { kind } = columnFacts(name)
  return { name, kind, lanes: KINDS[kind].lanes }
})
const ADDRESSES = ['exporter', 'agent', 'src_addr', 'dst_addr'] as const

/** The rows of a capture in `pcaps/`, attributed by the identity beside it. */
export async function captureRows(capture: string): Promise<FlowBatch> {
  const { cloud } = await loadIdentityFile(`${PCAPS}${capture}/identity.yaml`)
  const snapshot = buildSnapshot(cloud, 0)
  const attributor = new Attributor()
  const kept: FlowBatch[] = []
  const attribute = (batch: FlowBatch) => {
    attributor.attribute(batch, snapshot)
    const copy = new FlowBatch(batch.capacity, batch.strings)
    for (const name of COLUMN_NAMES) copy.columns[name].set(batch.columns[name])
    copy.rows = batch.rows
    kept.push(copy)
  }
  const { config } = loadConfig({})
  const limits = { flushAfterMs: Infinity, batchRows: 16_448 }
  const { pipeline } = buildPipeline(config, { attribute, emit: () => Promise.resolve() }, limits)
  await new Replay(pipeline, PORTS).run(readCapture(fileBytes(`${PCAPS}${capture}/capture.pcap`)))
  const [first] = kept
  if (first === undefined || kept.length > 1) throw new Error(`${capture} does not fit one batch`)
  return first
}

/**
 * Rows of captures again and again: each time with other servers of other projects at other addresses, other outside addresses,
 * client ports, counts and times.
 */
export class VariedRows {
  /** Batches of one block, refilled by `fill`. */
  readonly batches: readonly FlowBatch[]

  private readonly pace: Pace
  private readonly from: readonly FlowBatch[]
  private number = 0
  private readonly random: () => number
  private readonly talk: Talk
  /** Code of a source's text in a copy of the cloud, by source, code and copy. */
  private readonly texts = new Map<number, number>()

  /** Other rows for every `seed`; `lasting` ends go on talking (conversations.ts), others are drawn for each row. */
  constructor(
    from: readonly FlowBatch[],
    rows: number,
    seed: number,
    { pace = { fromMs: T0, rate: RATE }, lasting = false }: { pace?: Pace; lasting?: boolean } = {},
  ) {
    this.pace = pace
    this.from = from
    this.random = randomOf(seed)
    let drawn = 0
    const draw = (): Conversation => {
      const which = drawn++ % from.length
      const cloud = Math.floor(CLOUDS * this.random() ** 2)
      return { which, row: Math.floor(this.random() * from[which]!.rows), cloud }
    }
    this.talk = lasting ? new Conversations(draw, this.random) : new Strangers(draw)
    this.batches = FlowBatch.several(Math.round(rows / 16_384), 16_448)
  }

  /** Fills all batches with the next rows, at most so many; how many. */
  fill(most = Infinity): number {
    let left = most
    for (const batch of this.batches) {
      for (batch.rows = 0; batch.rows < batch.capacity - 64 && left > 0; batch.rows++, this.number++, left--) {
        const nowMs = this.pace.fromMs + Math.floor((this.number * 1000) / this.pace.rate)
        const { which, row, cloud } = this.talk.next(nowMs)
        this.copyRow(which, row, batch, cloud)
        varyRow(batch, batch.rows, cloud, nowMs, this.random)
      }
    }
    return this.batches.reduce((sum, batch) => sum + batch.rows, 0)
  }

  private copyRow(which: number, row: number, to: FlowBatch, cloud: number): void {
    const from = this.from[which]!
    for (const { name, kind, lanes } of COLUMNS) {
      const source = from.columns[name]
      const target = to.columns[name]
      if (kind === 'text') target[to.rows] = this.textOf(which, source[row]!, name, cloud)
      else for (let lane = 0; lane < lanes; lane++) target[to.rows * lanes + lane] = source[row * lanes + lane]!
    }
  }

  private textOf(which: number, code: number, name: ColumnName, cloud: number): number {
    if (code === 0) return 0
    const copy = name === 'bridge' ? 0 : cloud
    const key = (code * CLOUDS + copy) * this.from.length + which
    let made = this.texts.get(key)
    if (made === undefined) {
      const text = this.from[which]!.strings.values[code]!
      // Ids differ in their first digits, as ids do; names in their end.
      const other = UUID.test(text) ? copy.toString(16).padStart(8, '0') + text.slice(8) : `${text}-${copy}`
      made = this.batches[0]!.strings.intern(other)
      this.texts.set(key, made)
    }
    return made
  }
}

function varyRow(batch: FlowBatch, row: number, cloud: number, nowMs: number, random: () => number): void {
  const { columns } = batch
  for (const name of ADDRESSES) {
    const column = columns[name]
    // The last lane in network order: the third byte is the copy of the cloud, the fourth the server.
    if (column[row * 4 + 3] !== 0) column[row * 4 + 3] = (column[row * 4 + 3]! ^ (cloud << 16)) >>> 0
  }
  for (const name of ['src_mac', 'dst_mac'] as const)
    if (columns[name][row * 2] !== 0) columns[name][row * 2] = (columns[name][row * 2]! ^ (cloud << 12)) >>> 0
  for (const name of ['src_l4_port', 'dst_l4_port'] as const)
    if (columns[name][row]! > 10_000) columns[name][row] = 32_768 + Math.floor(random() * 28_000)
  columns.sequence[row] = (columns.sequence[row]! + Math.floor(nowMs / 10)) >>> 0
  const times = (random() + 0.2) ** 2
  for (const name of ['packets', 'bytes', 'l2_bytes'] as const)
    if (getU64(columns.packets, row) > 1 || name !== 'packets')
      setU64(columns[name], row, Math.ceil(getU64(columns[name], row) * times))
  const lasted = getU64(columns.flow_end, row) - getU64(columns.flow_start, row)
  const late = getU64(columns.time_received, row) - getU64(columns.flow_end, row)
  setTime(columns.time_received, row, nowMs)
  setTime(columns.flow_end, row, nowMs - Math.max(0, late))
  setTime(columns.flow_start, row, nowMs - Math.max(0, late) - Math.floor(Math.max(0, lasted) * times))
}

/** The same numbers each time. */
function randomOf(seed: number): () => number {
  let state = (seed + 1) >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 0x1_0000_0000
  }
}
