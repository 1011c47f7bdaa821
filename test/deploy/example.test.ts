import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { exampleConfiguration } from '../../deploy/example.ts'
import { loadConfig } from '../../src/config/load.ts'
import { OPTION_NAMES, optionFacts } from '../../src/config/options.ts'
import { temporary } from '../e2e/cli.ts'
import { ROOT } from '../paths.ts'

const FILE = `${ROOT}deploy/ovsight.yaml`

describe('the example configuration', () => {
  const directory = temporary()

  it('is what the table of options says', () => {
    if (process.argv.includes('--write')) writeFileSync(FILE, exampleConfiguration())
    assert.equal(readFileSync(FILE, 'utf8'), exampleConfiguration())
  })

  it('as it is installed changes the data directory and nothing else', () => {
    const { config, origins } = loadConfig({ file: FILE })
    assert.equal(config.data, '/var/lib/ovsight')
    const set = OPTION_NAMES.filter((name) => origins[name] !== 'default')
    assert.deepEqual(set, ['data'])
  })

  it('has a line for every option that is sound when its # is taken away, and says the default', () => {
    const text = exampleConfiguration().replaceAll(/^#(?=[a-z_]+: )/gm, '')
    const file = join(directory, 'all.yaml')
    writeFileSync(file, text)
    const { config, origins } = loadConfig({ file })
    for (const name of OPTION_NAMES) {
      assert.match(origins[name], /all\.yaml:\d+$/, name)
      const { default: value } = optionFacts(name)
      const none = value === null || (Array.isArray(value) && value.length === 0)
      if (!none && name !== 'data') assert.deepEqual(config[name], value, name)
    }
  })
})
