/** The commands of the repository say what they do, and what is no option, without a stack. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { readUsage } from './usage.ts'
import { ROOT } from './paths.ts'

const COMMANDS = {
  fuzz: 'test/fuzz',
  flood: 'test/flood',
  soak: 'test/soak',
  'test:faults': 'test/faults',
  bench: 'bench',
}

function run(path: string, word: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(process.execPath, [`${ROOT}dist/${path}/main.js`, word], (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    ),
  )
}

describe('the commands of the repository', () => {
  for (const [name, path] of Object.entries(COMMANDS))
    it(`npm run ${name} has help, and refuses what it does not know in one line`, async () => {
      const help = await run(path, '--help')
      assert.deepEqual([help.code, help.stderr], [0, ''])
      assert.match(help.stdout, new RegExp(`^Usage: npm run ${name} -- \\[options\\]`))
      assert.match(help.stdout, /\nExit code: 0 when all is well, 1 when .+, 2 when an option is wrong\.\n/)
      const refused = await run(path, '--nonsense')
      assert.deepEqual(refused, { code: 2, stdout: '', stderr: "error: unknown option '--nonsense'\n" })
    })

  it('read numbers, texts and flags, with their defaults', () => {
    const usage = {
      name: 'x',
      does: '',
      fails: '',
      options: {
        count: { value: 'n', doc: '', default: 3 },
        rows: { value: 'n', doc: '' },
        file: { value: 'file', text: true, doc: '' },
        fast: { doc: '' },
      },
      words: { name: 'what', doc: '' },
    } as const
    assert.deepEqual(readUsage(usage, []), { values: { count: 3, fast: false }, words: [] })
    const read = readUsage(usage, ['a', '--count', '7', '--rows', '1e3', 'b', '--file', '5', '--fast'])
    assert.deepEqual(read, { values: { count: 7, rows: 1000, file: '5', fast: true }, words: ['a', 'b'] })
  })
})
