import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ALERTS } from '../../dashboards/alerts.ts'
import { DASHBOARDS } from '../../dashboards/all.ts'
import { VARIABLES, type VariableSpec } from '../../dashboards/variables.ts'
import { checkQuery } from '../../src/door/cage.ts'
import { named } from '../../src/door/request.ts'
import { SPAN } from './cloud.ts'
import { CONDITIONS, CONNECTING, EDITOR } from './data-source.ts'
import { expand } from './expand.ts'

const CAGE = {
  database: 'ovsight',
  databases: new Set(['ovsight', 'default', 'system', 'information_schema']),
  tableFunctions: new Set(['file', 'url', 'remote', 's3', 'merge', 'cluster', 'dictionary', 'executable']),
}
const VARIABLE_VALUES = {
  project: 'p',
  server: 's',
  network: 'n',
  port: '$__all',
  host: '$__all',
  search: "'; DROP TABLE flows",
}

describe('the door of the embedded store lets through', () => {
  const passes = (sql: string) => checkQuery(expand(sql, { ...SPAN, variables: VARIABLE_VALUES }), CAGE)

  for (const { title, rows, annotations = [] } of DASHBOARDS)
    it(`every question of ${title}`, () => {
      for (const panel of rows.flatMap(({ panels }) => panels)) passes(panel.sql)
      for (const { sql } of annotations) passes(sql)
    })

  it('what the data source asks by itself', () => {
    for (const sql of [...CONNECTING, ...CONDITIONS, ...EDITOR])
      assert.doesNotThrow(() => checkQuery(named(sql), CAGE), sql)
  })

  it('every question of the alerts and the variables, and not what is not ours', () => {
    for (const { sql } of ALERTS) passes(sql)
    for (const { sql } of Object.values<VariableSpec>(VARIABLES)) if (sql !== undefined) passes(sql)
    assert.throws(() => passes('SELECT * FROM system.processes'))
  })
})
