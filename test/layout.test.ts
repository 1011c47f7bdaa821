import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, it } from 'node:test'
import { ROOT } from './paths.ts'

/** Which folders of src/ each folder may import, as docs/design.md states it. `cli` and `main.ts` see everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  wire: ['errors.ts'],
  config: ['errors.ts'],
  schema: ['errors.ts'],
  decode: ['wire', 'schema', 'errors.ts'],
  identity: ['errors.ts', 'config'],
  attribute: ['schema', 'identity'],
  store: ['schema', 'errors.ts'],
  query: ['schema', 'errors.ts'],
  late: ['attribute', 'schema', 'store', 'errors.ts'],
  history: ['identity', 'schema', 'store', 'errors.ts'],
  transfer: ['query', 'schema', 'store', 'errors.ts'],
  receive: ['wire', 'errors.ts'],
  door: ['store', 'schema', 'errors.ts'],
  telemetry: ['errors.ts'],
  pipeline: [
    'receive',
    'decode',
    'attribute',
    'schema',
    'store',
    'telemetry',
    'identity',
    'late',
    'wire',
    'config',
    'errors.ts',
  ],
  audit: ['query', 'schema', 'identity', 'errors.ts'],
  api: ['audit', 'query', 'transfer', 'store', 'schema', 'telemetry', 'errors.ts'],
}
const NO_DEPENDENCIES = new Set(['wire', 'schema', 'decode'])
const IMPORT = /^(?:import|export)\b[^'"]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)
const folderOf = (file: string) => file.split('/')[0]!

describe('the layout of src/', () => {
  for (const file of files) {
    const folder = folderOf(file)
    const allowed = MAY_IMPORT[folder]
    if (allowed === undefined) {
      it(`${file} belongs to a folder that the design names`, () => assert.ok(folder === 'cli' || file === 'main.ts'))
      continue
    }
    it(`${file} imports only what lies before it`, () => {
      const text = readFileSync(join(ROOT, 'src', file), 'utf8')
      for (const match of text.matchAll(IMPORT)) {
        const target = match[1] ?? match[2] ?? match[3]!
        if (target.startsWith('.')) {
          const to = folderOf(normalize(join(dirname(file), target)))
          assert.ok(to === folder || allowed.includes(to), `${file} imports ${to}`)
        } else if (NO_DEPENDENCIES.has(folder)) {
          assert.ok(target.startsWith('node:'), `${file} depends on ${target}`)
        }
      }
    })
  }
})
