import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type ConfigSources, loadConfig } from '../../src/config/load.ts'
import { OPTIONS, OPTION_NAMES } from '../../src/config/options.ts'
import { showConfig } from '../../src/config/show.ts'
import { AppError } from '../../src/errors.ts'

const dir = mkdtempSync(join(tmpdir(), 'ovsight-config-'))
after(() => rmSync(dir, { recursive: true }))
const file = join(dir, 'ovsight.yaml')

function fromYaml(text: string, rest: ConfigSources = {}) {
  writeFileSync(file, text)
  return loadConfig({ file, ...rest })
}

function faultsOf(act: () => unknown): string[] {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof AppError)
    assert.equal(error.code, 'config_invalid')
    assert.equal(error.exitCode, 2)
    return error.details.map((detail) => detail.replace(`${dir}/`, ''))
  }
  return assert.fail('no fault was found')
}

describe('loadConfig', () => {
  it('answers the defaults of the table when nothing is given', () => {
    const { config, origins } = loadConfig()
    for (const name of OPTION_NAMES) {
      assert.deepEqual(config[name], OPTIONS[name].default, name)
      assert.equal(origins[name], 'default')
    }
  })

  it('takes the command line before the environment, the environment before the file, the file before the default', () => {
    const text = 'netflow_port: 1\nipfix_port: 1\nsflow_port: 1\n'
    const env = { OVSIGHT_NETFLOW_PORT: '2', OVSIGHT_IPFIX_PORT: '2' }
    const { config, origins } = fromYaml(text, { env, flags: { netflow_port: '3' } })
    assert.deepEqual(
      [config.netflow_port, config.ipfix_port, config.sflow_port, config.vxlan_port],
      [3, 2, 1, OPTIONS.vxlan_port.default],
    )
    assert.deepEqual(
      [origins.netflow_port, origins.ipfix_port, origins.sflow_port, origins.vxlan_port],
      ['command line', 'environment OVSIGHT_IPFIX_PORT', `${file}:3`, 'default'],
    )
  })

  it('reads every type, with units, from text and from YAML', () => {
    const { config } = fromYaml(
      'receive_buffer: 64MiB\nflush_after: 2.5s\ngre: off\nhttp_port: off\nexporter_alias: [127.0.0.2=10.0.10.14]\n',
      { env: { OVSIGHT_SPOOL_MAX: '10GB', OVSIGHT_BIND: '::' } },
    )
    assert.equal(config.receive_buffer, 64 * 1024 ** 2)
    assert.equal(config.flush_after, 2500)
    assert.equal(config.gre, false)
    assert.equal(config.http_port, null)
    assert.deepEqual(config.exporter_alias, ['127.0.0.2=10.0.10.14'])
    assert.equal(config.spool_max, 10e9)
    assert.equal(config.bind, '::')
  })

  it('reports all faults of all sources at once, each with its place', () => {
    const faults = faultsOf(() =>
      fromYaml('netflw_port: 2055\nsflow_port: 70000\nflush_after: 5\ndata: [a]\nbatch_rows: 1\n', {
        env: { OVSIGHT_IPFIX_PRT: '1', OVSIGHT_HTTP_PORT: 'x' },
        flags: { bind: 'localhost', receiver: 'fast' },
      }),
    )
    assert.deepEqual(faults.sort(), [
      '--bind: "localhost" is not an IP address',
      '--receiver: "fast" is not one of auto, koffi, dgram',
      'OVSIGHT_HTTP_PORT: "x" is not a port (0 to 65535, or off)',
      'OVSIGHT_IPFIX_PRT: no such option; did you mean OVSIGHT_IPFIX_PORT?',
      'ovsight.yaml:1: netflw_port: no such option; did you mean netflow_port?',
      'ovsight.yaml:2: sflow_port: 70000 is not a port (0 to 65535, or off)',
      'ovsight.yaml:3: flush_after: 5 is not a duration with its unit (ms, s, m, h, d)',
      'ovsight.yaml:4: data: ["a"] is not a path',
      'ovsight.yaml:5: batch_rows: 1 is below 8192',
    ])
  })

  it('refuses a file that is no mapping, is no YAML, or says a thing twice', () => {
    assert.deepEqual(
      faultsOf(() => fromYaml('- netflow_port')),
      ['ovsight.yaml:1: the file is not a list of "option: value" lines'],
    )
    assert.match(faultsOf(() => fromYaml('gre: on\ngre: off\n'))[0]!, /^ovsight\.yaml:\d: .*unique/)
    assert.match(faultsOf(() => fromYaml('a: [1'))[0]!, /^ovsight\.yaml:\d: /)
  })

  it('takes an empty file as no options', () => {
    assert.equal(fromYaml('# nothing\n').config.netflow_port, OPTIONS.netflow_port.default)
  })

  it('says when the file cannot be read', () => {
    assert.throws(() => loadConfig({ env: { OVSIGHT_CONFIG: join(dir, 'none.yaml') } }), { code: 'file_unreadable' })
  })

  it('is not disturbed by the variables that Kubernetes sets for a service named ovsight', () => {
    loadConfig({
      env: {
        OVSIGHT_PORT: 'tcp://10.0.0.1:80',
        OVSIGHT_PORT_80_TCP_ADDR: '10.0.0.1',
        OVSIGHT_SERVICE_HOST: '10.0.0.1',
        OVSIGHT_SERVICE_PORT: '80',
      },
    })
  })

  it('takes an order of sources, and names what is none', () => {
    const order = (given: unknown) => loadConfig({ flags: { precedence: given } }).config.precedence
    assert.deepEqual(order('netflow, ipfix'), ['netflow', 'ipfix'])
    for (const wrong of ['netflow,snmp', 'ipfix,ipfix', 7])
      assert.throws(
        () => order(wrong),
        (error: AppError) => error.details.some((line) => line.includes('precedence')),
      )
  })

  it('shows every option with its origin and hides what is secret', () => {
    const shown = showConfig(loadConfig({ env: { OVSIGHT_CLICKHOUSE: 'http://me:geheim@host:8123/db?password=x' } }))
    assert.deepEqual(
      shown.map((row) => row.option),
      OPTION_NAMES,
    )
    const clickhouse = shown.find((row) => row.option === 'clickhouse')
    assert.deepEqual(clickhouse, {
      option: 'clickhouse',
      value: 'http://me:***@host:8123/db?password=***',
      origin: 'environment OVSIGHT_CLICKHOUSE',
    })
    assert.equal(shown.find((row) => row.option === 'flush_after')!.value, '1s')
    assert.equal(shown.find((row) => row.option === 'identity')!.value, 'not set')
  })
})
