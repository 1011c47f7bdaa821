import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { candidates } from '../../src/cli/complete.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { DIMENSION_NAMES } from '../../src/query/dimensions.ts'
import { run } from './run.ts'

describe('completion', async () => {
  const program = await buildProgram({ stdout: process.stdout, stderr: process.stderr, env: {}, now: () => 0, openStore: () => Promise.reject(new Error()) }, '0') // prettier-ignore
  const asked: string[] = []
  const names = (entity: string) => {
    asked.push(entity)
    return Promise.resolve(entity === 'project' ? ['red', 'blue', 'a b'] : ['web-1', 'web-2'])
  }
  const complete = (...words: string[]) => candidates(program, words, names)

  it('knows commands, options and columns', async () => {
    assert.ok((await complete('')).includes('top'))
    assert.deepEqual(await complete('ser'), ['series'])
    assert.deepEqual(await complete('show', 'c'), ['columns', 'config'])
    assert.deepEqual(await complete('top', '--bid'), ['--bidirectional'])
    assert.deepEqual(await complete('top', 'src_ser'), DIMENSION_NAMES.filter((name) => name.startsWith('src_ser'))) // prettier-ignore
    assert.deepEqual(await complete('matrix', 'p'), ['project', 'port'])
    assert.deepEqual(await complete('flows', '-o', 'l'), ['line', 'long'])
    assert.deepEqual(await complete('top', '-f', ''), ['table', 'json', 'csv', 'yaml', 'value'])
  })

  it('offers the figures that the dimensions have', async () => {
    assert.ok((await complete('top', 'server', '--by', 'sent')).includes('sent_bytes'))
    assert.deepEqual(await complete('top', 'vlan', '--by', 'sent'), [])
  })

  it('completes the last word of a filter, with names that occur', async () => {
    assert.ok((await complete('top', '--filter', 'proj')).includes('project'))
    assert.deepEqual(await complete('top', '--filter', 'project '), ['project red', 'project blue', 'project "a b"'])
    assert.deepEqual(await complete('top', '--filter', 'project red and server web-1 and src server w'), [
      'project red and server web-1 and src server web-1',
      'project red and server web-1 and src server web-2',
    ])
    assert.deepEqual(await complete('flows', '--filter', 'not (direction no'), ['not (direction north-south'])
    assert.deepEqual(await complete('flows', '--filter', 'grade amb'), ['grade ambiguous'])
    assert.deepEqual(await complete('flows', '--filter', 'server in [web-1,w'), ['server in [web-1,web-1', 'server in [web-1,web-2']) // prettier-ignore
    assert.deepEqual(await complete('flows', '--filter', 'proto sc'), ['proto sctp'])
  })

  it('answers a shell without a collector, and prints scripts', async () => {
    assert.equal((await run(['completion', '--words', 'mat'])).stdout, 'matrix\n')
    assert.equal((await run(['completion', '--words', 'top', '--filter', 'project r', '--data', '/nowhere'])).error, undefined) // prettier-ignore
    for (const shell of ['bash', 'zsh', 'fish'])
      assert.match((await run(['completion', shell])).stdout, /ovsight completion --words/)
    assert.equal((await run(['completion', 'csh'])).error?.code, 'usage')
    const { stdout } = await run(['completion', 'bash'])
    // A program of that name that answers what it was asked.
    const script = `ovsight() { printf 'two words\\nmat\\n'; }\n${stdout}\nCOMP_WORDS=(ovsight top --filter "'project r"); COMP_CWORD=3; _ovsight; printf '%s|' "\${COMPREPLY[@]}"`
    assert.equal(execFileSync('bash', ['-c', script], { encoding: 'utf8' }), 'two words|mat|')
  })

  it(
    'asks for what stands behind an open quote in zsh',
    { skip: !existsSync('/usr/bin/zsh') && 'zsh is not installed' },
    async () => {
      const { stdout } = await run(['completion', 'zsh'])
      // Stand-ins for what zsh has only while it completes; the program says what it was asked.
      const stubs = `compdef() { : }; compadd() { print -rn -- "\${@[2]}|" }; ovsight() { print -r -- "\${@[-1]}" }`
      const ask = (word: string) => `words=(ovsight top --filter ${word}); CURRENT=4; _ovsight`
      const script = [stubs, stdout, ask(`'"project red and dir'`), ask(`"'proj"`), ask('pro')].join('\n')
      assert.equal(execFileSync('/usr/bin/zsh', ['-fc', script], { encoding: 'utf8' }), 'project red and dir|proj|pro|')
    },
  )

  it('is read by fish', { skip: !existsSync('/usr/bin/fish') && 'fish is not installed' }, async () => {
    const { stdout } = await run(['completion', 'fish'])
    const script = `function ovsight; echo mat\\npro; end\n${stdout}\ncomplete -C 'ovsight top m'`
    assert.match(execFileSync('/usr/bin/fish', ['-c', script], { encoding: 'utf8' }), /^mat$/m)
  })
})
