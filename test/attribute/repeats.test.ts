/** Rows that come again are known again; whatever the rows and the model, it says what is said without that. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Attributor } from '../../src/attribute/attributor.ts'
import { NO_HISTORY } from '../../src/identity/history.ts'
import { buildSnapshot } from '../../src/identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../../src/identity/snapshot/snapshot.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { COLUMN_NAMES, columnFacts } from '../../src/schema/columns.ts'
import { KINDS } from '../../src/schema/kinds.ts'
import { Lab, NETFLOW } from './lab.ts'
import { everything, random, randomRow } from './nonsense.ts'
import { batchOf, rowOf, type Row } from './rows.ts'

const DIFFERENT = 100
/** What attribution reads of a row, its time excepted. */
const FIELDS: readonly (keyof Row)[] = [
  ...(['export_protocol', 'flow_direction', 'output_kind', 'exporter', 'agent', 'src_addr', 'dst_addr'] as const),
  ...(['tunnel_type', 'tunnel_key', 'tunnel_src_addr', 'tunnel_dst_addr', 'src_mac', 'dst_mac', 'vlan'] as const),
  ...(['in_if', 'out_if', 'in_if_name', 'out_if_name', 'observation_domain', 'observation_point'] as const),
]
const ROWS = 1_000
const TUNNEL = ['tunnel_type', 'tunnel_key', 'tunnel_src_addr', 'tunnel_dst_addr'] as const
/** What exporters of one sort leave at zero in all their records: what they are known by is shorter. */
const LEFT_OUT: Readonly<Record<string, readonly (keyof Row)[]>> = {
  'of any kind': [],
  'without tunnels': TUNNEL,
  'as routers send them': [
    ...TUNNEL,
    ...(['src_mac', 'dst_mac', 'vlan', 'in_if_name', 'out_if_name', 'observation_point'] as const),
    ...(['samples', 'bytes_variance', 'l2_bytes_variance', 'kept_one_in'] as const),
  ],
}

/** What the same rows come to, in batches that take turns, with models that take turns. */
function told(rows: readonly Row[], snapshots: readonly IdentitySnapshot[], repeats: boolean, waits: boolean) {
  const unsure: unknown[] = []
  const attributor = new Attributor({
    repeats,
    ipfixSampling: 64,
    ...(waits ? { onUnsure: (_batch, row, ...rest) => void unsure.push([row, ...rest]) } : {}),
  })
  const batch = new FlowBatch(ROWS)
  const seen = snapshots.map((snapshot) => {
    const from = batchOf(...rows)
    batch.reset()
    for (const name of COLUMN_NAMES) {
      const { kind } = columnFacts(name)
      const codes = from.columns[name].subarray(0, rows.length * KINDS[kind].lanes)
      if (kind === 'text')
        codes.forEach((code, row) => (batch.columns[name][row] = batch.strings.intern(from.strings.values[code]!))) // prettier-ignore
      else batch.columns[name].set(codes)
    }
    batch.rows = rows.length
    attributor.attribute(batch, snapshot)
    return rows.map((_, row) => rowOf(batch, row))
  })
  return { seen, unsure, repeated: attributor.repeatedRows }
}

/** Ports that were another's before, so that the model is a timed one. */
function timed(): IdentitySnapshot {
  const lab = everything()
  const port = lab.portOf('red-2')
  return buildSnapshot({ ...lab.cloud, ovs: new Map(Object.entries(lab.hosts)) }, 0, {
    ...NO_HISTORY,
    ports: [{ port: { ...port, name: 'before' }, server: undefined, trunk: undefined, fromMs: 0, toMs: 500_000 }],
    since: new Map([[port.id, 500_000]]),
  })
}

function renamed(): IdentitySnapshot {
  const lab = everything()
  for (const name of ['red-1', 'red-2', 'blue-1']) lab.portOf(name).name = `another ${name}`
  return lab.snapshot()
}

const MODELS = {
  'everything exports': () => [everything().snapshot()],
  'nothing exports': () => [new Lab().snapshot()],
  'two hosts without OVSDB, which are seen to report': () => [everything().without('c0', 'n0')],
  'NetFlow alone': () => [new Lab({ netflow: NETFLOW }).snapshot()],
  'with things that hold for a time': () => [timed()],
  'models that change and change back': () => [everything().snapshot(), renamed(), new Lab().snapshot(), renamed()],
}

describe('rows that come again', () => {
  for (const [number, [name, build]] of Object.entries(MODELS).entries()) {
    // Rows that wait for a later model are told each time that they come.
    const waits = number % 2 === 1
    const snapshots = build()
    for (const [sort, leftOut] of Object.entries(LEFT_OUT))
      it(`are known by what they are: ${name}, rows ${sort}${waits ? ', where rows wait for a later model' : ''}`, () => {
        const rows = rowsOf(random(name.length), leftOut)
        const found = told(rows, snapshots, true, waits)
        const wanted = told(rows, snapshots, false, waits)
        for (const [turn, seen] of wanted.seen.entries())
          for (let i = 0; i < ROWS; i++) {
            const one = found.seen[turn]![i]!
            if (COLUMN_NAMES.some((column) => one[column] !== seen[i]![column]))
              assert.deepEqual(one, seen[i], `${turn} ${i} ${JSON.stringify(rows[i])}`)
          }
        assert.equal(wanted.repeated, 0)
        // Of a timed model only the common case is remembered.
        if (!snapshots[0]!.timed) assert.ok(found.repeated > ROWS / (waits ? 100 : 40), `${found.repeated} of ${ROWS}`)
        assert.deepEqual(found.unsure, wanted.unsure)
      })
  }
})

/** Rows that come again, and rows of which one field changes and the rest comes again. */
function rowsOf(next: (below: number) => number, leftOut: readonly (keyof Row)[]): Row[] {
  const one = () => {
    const row = randomRow(next)
    for (const field of leftOut) delete row[field]
    return row
  }
  const fields = FIELDS.filter((field) => !leftOut.includes(field))
  const different = Array.from({ length: DIFFERENT }, one)
  return Array.from({ length: ROWS }, () => {
    const row = different[next(DIFFERENT)]!
    const other = one()
    const field = fields[next(fields.length)]!
    return next(3) > 0 ? { ...row, [field]: other[field] ?? 0 } : row
  })
}
