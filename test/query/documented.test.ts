/** Every SQL example of the documentation, run on the engine and let through the door of the embedded store. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { checkQuery } from '../../src/door/cage.ts'
import { IDENTITY_TABLE, identityDictionary } from '../../src/schema/identity-tables.ts'
import { ROOT } from '../paths.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { Engine } from './engine.ts'
import { RECORDS, T0 } from './records.ts'

const PAGES = ['README.md', ...readdirSync(`${ROOT}docs`, { recursive: true, encoding: 'utf8' }).map((file) => `docs/${file}`)] // prettier-ignore
/** A line of a code block that begins as a question, or the question of an address. */
const EXAMPLE = /^(?: {4}|\t)?((?:SELECT|WITH|SHOW|DESCRIBE|EXPLAIN)\s.*)$|[?&]query=([^'"\s&]+)/
const EXAMPLES = PAGES.filter((page) => page.endsWith('.md')).flatMap((page) =>
  codeLines(readFileSync(ROOT + page, 'utf8')).flatMap((line) => {
    const [, plain, inUrl] = EXAMPLE.exec(line) ?? []
    const sql = plain ?? (inUrl === undefined ? undefined : decodeURIComponent(inUrl.replaceAll('+', ' ')))
    return sql === undefined ? [] : [{ page, sql }]
  }),
)
const CAGE = { database: 'ovsight', databases: new Set(['ovsight', 'default', 'system']), tableFunctions: new Set(['file', 'url']) } // prettier-ignore

/** Lines that are code: indented by four, or between fences. */
function codeLines(text: string): string[] {
  let fenced = false
  return text.split('\n').filter((line) => {
    if (/^\s*```/.test(line)) fenced = !fenced
    return fenced || line.startsWith('    ')
  })
}

describe('the SQL of the documentation', { skip: NO_ENGINE }, () => {
  let engine: Engine
  before(async () => {
    engine = await Engine.open()
    // Examples are about the last days.
    await engine.insert(RECORDS.map((record) => ({ ...record, flow_end: Date.now() - 60_000 + Number(record.flow_end) - T0 }))) // prettier-ignore
    await engine.store.run(
      `INSERT INTO ovsight.${IDENTITY_TABLE.name} (kind, id, name, host, valid_from, valid_to, written_at) VALUES ` +
        ['server', 'port'].map((kind) => `('${kind}', 's-red-web', 'web', 'c0', 0, '2299-12-31 23:59:59.999', now())`).join(', '), // prettier-ignore
    )
    await engine.store.run(identityDictionary({ database: 'ovsight' }))
  })
  after(() => engine.close())

  it('is found', () => assert.ok(EXAMPLES.length >= 5, `${EXAMPLES.length} examples`))

  for (const { page, sql } of EXAMPLES)
    it(`${page}: ${sql}`, async () => {
      checkQuery(sql, CAGE)
      const { rows } = await engine.store.query({ sql, params: {} })
      assert.ok(rows.length > 0, 'it answers something')
    })
})
