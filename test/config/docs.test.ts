import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Command } from 'commander'
import { configurationPage } from '../../src/config/docs.ts'
import { addOptions, givenFlags } from '../../src/config/flags.ts'
import { loadConfig } from '../../src/config/load.ts'
import { OPTION_NAMES, OPTIONS, flagOf, optionFacts } from '../../src/config/options.ts'
import { showValue } from '../../src/config/types.ts'
import { ROOT } from '../paths.ts'

const PAGE = `${ROOT}docs/configuration.md`

describe('the table of options', () => {
  it('is what docs/configuration.md says', () => {
    if (process.argv.includes('--write')) writeFileSync(PAGE, configurationPage())
    assert.equal(readFileSync(PAGE, 'utf8'), configurationPage())
  })

  it('holds defaults that pass their own check, written as an operator writes them', () => {
    for (const name of OPTION_NAMES) {
      const { type, default: value } = optionFacts(name)
      if (value === null || type === 'aliases') continue
      const { config } = loadConfig({ flags: { [name]: showValue(type, value) } })
      assert.deepEqual(config[name], value, name)
    }
  })

  it('becomes options of a command', () => {
    const command = addOptions(new Command('collect'), OPTION_NAMES).exitOverride()
    command.parse(['--netflow-port', '9', '--exporter-alias', '::1=::2', '--exporter-alias', '::3=::4'], {
      from: 'user',
    })
    const flags = givenFlags(command.opts(), OPTION_NAMES)
    assert.deepEqual(flags, { netflow_port: '9', exporter_alias: ['::1=::2', '::3=::4'] })
    const help = command.helpInformation()
    for (const name of OPTION_NAMES) assert.ok(help.includes(flagOf(name)), name)
    for (const { group } of Object.values(OPTIONS)) assert.ok(help.includes(`${group}:`))
  })
})
