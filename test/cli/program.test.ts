import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Command } from 'commander'
import { buildProgram } from '../../src/cli/program.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { run } from './run.ts'

describe('the command line', async () => {
  it('tells what is wrong with it, and where help is', async () => {
    const wrong = async (words: string[], message: RegExp, help: string) => {
      const { error, stdout } = await run(words)
      assert.equal(error?.code, 'usage')
      assert.match([error.message, ...error.details].join('\n'), message)
      assert.equal(error.details.at(-1), `see ${help}`)
      assert.equal(stdout, '')
    }
    await wrong([], /a command is missing/, 'ovsight help')
    await wrong(['tpo'], /unknown command 'tpo'\n\(Did you mean top\?\)/, 'ovsight help')
    await wrong(['top', '--byy', 'x'], /unknown option '--byy'/, 'ovsight help top')
    await wrong(['top', '--by'], /argument missing/, 'ovsight help top')
    await wrong(['show'], /a command is missing/, 'ovsight help show')
    await wrong(['store', '--data', 'x'], /a command is missing/, 'ovsight help store')
  })

  it('has a version', async () => assert.equal((await run(['--version'])).stdout, '1.2.3\n'))

  const program = await buildProgram({ stdout: process.stdout, stderr: process.stderr, env: {}, now: () => 0, openStore: () => Promise.reject(new Error()) }, '0') // prettier-ignore
  const commands = (of: Command, path: string[]): string[][] =>
    of.commands.flatMap((command) => [[...path, command.name()], ...commands(command, [...path, command.name()])])
  for (const path of commands(program, []))
    it(`explains ${path.join(' ')} with help${path.length === 1 ? ' and examples' : ''}`, async () => {
      const { stdout, error } = await run([...path, '--help'])
      assert.equal(error, undefined)
      assert.match(stdout, new RegExp(`^Usage: ovsight ${path.join(' ')}`))
      if (path.length === 1) assert.match(stdout, /\nExamples:\n {2}\$ ovsight /)
    })

  it('shows the columns, the configuration and the tables', async () => {
    const columns = JSON.parse((await run(['show', 'columns', '-f', 'json'])).stdout) as {
      column: string
      use: string
    }[]
    assert.deepEqual(columns.map(({ column }) => column), COLUMN_NAMES) // prettier-ignore
    assert.equal(columns.find(({ column }) => column === 'bytes')?.use, 'measure')
    const env = { OVSIGHT_CLICKHOUSE: 'http://user:secret@db:8123/flows', COLUMNS: '120' }
    const config = await run(['show', 'config', '--http-port', '9090'], { env })
    assert.match(config.stdout, /^http_port +9090 +command line$/m)
    assert.match(config.stdout, /^clickhouse +http:\/\/user:\*\*\*@db:8123\/flows +environment OVSIGHT_CLICKHOUSE$/m)
    assert.match((await run(['show', 'ddl'])).stdout, /CREATE TABLE IF NOT EXISTS ovsight\.flows\n\(/)
  })
})
