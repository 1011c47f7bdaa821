import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { apiPage } from '../../src/api/docs.ts'
import { cliPage, errorsPage } from '../../src/cli/docs.ts'
import { manPage } from '../../src/cli/man.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { filterPage } from '../../src/query/filter/docs.ts'
import { ROOT } from '../paths.ts'

const program = await buildProgram(
  {
    stdout: { write: () => undefined },
    stderr: { write: () => undefined },
    env: {},
    now: () => 0,
    openStore: () => Promise.reject(new Error('help opens no store')),
  },
  '0.0.0',
)
const PAGES = {
  'ovsight.1': manPage(program),
  'cli.md': cliPage(program),
  'errors.md': errorsPage(),
  'filter.md': filterPage(),
  'api.md': apiPage(),
}

describe('the pages of docs/', () => {
  for (const [name, page] of Object.entries(PAGES))
    it(`${name} says what the program does`, () => {
      const path = `${ROOT}docs/${name}`
      if (process.argv.includes('--write')) writeFileSync(path, page)
      assert.ok(readFileSync(path, 'utf8') === page, `docs/${name} is not what the source says; npm run docs writes it`)
    })
})
