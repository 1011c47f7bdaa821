import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { fieldsPage } from '../../src/schema/docs.ts'
import { ENUMS } from '../../src/schema/enums.ts'
import { ROOT } from '../paths.ts'

const PAGE = `${ROOT}docs/fields.md`

describe('docs/fields.md', () => {
  it('is what the tables say', () => {
    if (process.argv.includes('--write')) writeFileSync(PAGE, fieldsPage())
    assert.equal(readFileSync(PAGE, 'utf8'), fieldsPage())
  })

  it('has a row for every column and every value, none of them broken by its own text', () => {
    const rows = fieldsPage()
      .split('\n')
      .filter((line) => line.startsWith('| `') || /^\| \d/.test(line))
    for (const row of rows) assert.equal(row.replaceAll('\\|', '').split('|').length, 5, row)
    for (const name of COLUMN_NAMES)
      assert.ok(
        rows.some((row) => row.startsWith(`| \`${name}\` |`)),
        name,
      )
    for (const values of Object.values(ENUMS))
      for (const value of Object.keys(values))
        assert.ok(
          rows.some((row) => row.includes(`| \`${value}\` |`)),
          value,
        )
  })
})
