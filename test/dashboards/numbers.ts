/** Overview and Tenant show what `ovsight top` says of the same span, to the byte: from records, from sums, sampled or not, each way. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ALL, type Asked, TENANTS, WHOLE, panelOf } from './asked.ts'
import { SPAN } from './cloud.ts'

type Row = Readonly<Record<string, unknown>>

/** Sent, received, both with each byte once, packets, and the half-width of their error. */
function figures(row: Row, name: string): unknown[] {
  const numbers = [
    row['sent_bytes'] ?? row['sent'],
    row['received_bytes'] ?? row['received'],
    row['bytes'],
    row['packets'],
  ]
  return [row[name], ...numbers.map(Number), Math.round(Number(row['bytes_error'] ?? row['error'] ?? 0))]
}

const sumOf = (rows: readonly Row[], column: string) => rows.reduce((sum, row) => sum + Number(row[column]), 0)

/** Rates in bits a second, step by step, as bytes. */
const bytesOf = (rows: readonly Row[], column: string, stepS: number) => Math.round((sumOf(rows, column) * stepS) / 8)

function byLabel(rows: readonly Row[], label: string, column: string, times: number): Map<string, number> {
  const sums = new Map<string, number>()
  for (const row of rows)
    sums.set(String(row[label]), (sums.get(String(row[label])) ?? 0) + Number(row[column]) * times)
  return new Map([...sums].map(([key, sum]): [string, number] => [key, Math.round(sum)]).filter(([, sum]) => sum > 0))
}

export function numberTests(asked: () => Asked): void {
  // The short span is read from the records, the long one from sums by minute as well.
  for (const [what, span] of [
    ['records', SPAN],
    ['sums', ALL],
  ] as const)
    describe(`shows the numbers of ovsight top, to the byte: ${what}`, () => {
      const ask = async (dashboard: string, title: string, variables = {}, intervalS = 10) =>
        (await asked().ask(panelOf(dashboard, title).sql, { ...span, intervalS, variables })).rows
      const top = (dimension: string, count?: 'all') => asked().top(dimension, span, count)

      for (const [title, dimension] of [
        ['Projects', 'project'],
        ['Servers', 'server'],
        ['Networks', 'network'],
        ['Hosts', 'host'],
      ] as const)
        it(`Overview, ${title}`, async () => {
          const expected = (await top(dimension)).map((row) => figures(row, dimension))
          assert.ok(expected.length > 1)
          assert.ok(dimension === 'host' || expected.some((row) => Number(row.at(-1)) > 0), 'some of it is sampled')
          assert.deepEqual(
            (await ask('overview', title)).map((row) => figures(row, dimension)),
            expected,
          )
        })

      it('Overview: volume, mean rate, packets, records, and their course', async () => {
        const all = await top('ip_version')
        const bytes = sumOf(all, 'bytes')
        assert.equal(Number((await ask('overview', 'Volume'))[0]!['bytes']), bytes)
        const seconds = (span.toMs - span.fromMs) / 1000
        assert.equal(Math.round((Number((await ask('overview', 'Traffic'))[0]!['bits']) * seconds) / 8), bytes)
        assert.equal(
          bytesOf(await ask('overview', 'Bits per second, with the error of sampling'), 'traffic', 10),
          bytes,
        )
        assert.equal(
          Math.round(sumOf(await ask('overview', 'Packets per second'), 'packets') * 10),
          sumOf(all, 'packets'),
        )
        const reported = await top('export_protocol', 'all')
        assert.equal(Number((await ask('overview', 'Records stored'))[0]!['records']), sumOf(reported, 'records'))
        assert.deepEqual(
          byLabel(await ask('overview', 'Records per second, by protocol'), 'protocol', 'records', 10),
          byLabel(reported, 'export_protocol', 'records', 1),
        )
      })

      it('Overview: where to, class by class', async () => {
        assert.deepEqual(
          byLabel(await ask('overview', 'Where to: east–west, between projects, north–south'), 'class', 'bits', 10 / 8),
          byLabel(await top('traffic_class'), 'traffic_class', 'bytes', 1),
        )
      })

      for (const [tenant, own] of Object.entries(TENANTS)) {
        const variables = { ...own, ...WHOLE }
        it(`Tenant ${tenant}: the project, each way, and its course`, async () => {
          const [project] = (await top('project')).filter((row) => row['project'] === tenant)
          for (const [title, column, figure] of [
            ['Sent', 'sent', 'sent_bytes'],
            ['Received', 'received', 'received_bytes'],
            ['Total', 'bytes', 'bytes'],
            ['Packets', 'packets', 'packets'],
          ] as const)
            assert.equal(Number((await ask('tenant', title, variables))[0]![column]), project![figure], title)
          const course = await ask('tenant', 'Sent and received, with the error of sampling', variables)
          assert.equal(bytesOf(course, 'sent', 10), project!['sent_bytes'])
          assert.equal(bytesOf(course, 'received', 10), project!['received_bytes'])
        })

        it(`Tenant ${tenant}: its servers and its networks`, async () => {
          for (const dimension of ['server', 'network'] as const) {
            const rows = await ask('tenant', dimension === 'server' ? 'Servers' : 'Networks', variables)
            const expected = (await top(dimension)).filter((row) => row['project'] === tenant)
            assert.ok(expected.length > 0)
            assert.deepEqual(
              rows.map((row) => figures(row, dimension)),
              expected.map((row) => figures(row, dimension)),
            )
          }
        })
      }
    })
}
