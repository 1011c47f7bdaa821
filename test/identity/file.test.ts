import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { PCAPS } from '../paths.ts'

const folder = mkdtempSync(join(tmpdir(), 'ovsight-file-'))
after(() => rmSync(folder, { recursive: true }))

async function faultsOf(text: string): Promise<string[]> {
  const path = join(folder, 'cloud.yaml')
  writeFileSync(path, text)
  try {
    await loadIdentityFile(path)
  } catch (error) {
    assert.ok(error instanceof AppError && error.code === 'identity_invalid', String(error))
    return error.details.map((detail) => detail.replace(`${path}:`, ''))
  }
  return []
}

describe('an identity file', () => {
  it('is read with the dumps that it names', async () => {
    const { cloud, warnings } = await loadIdentityFile(`${PCAPS}ipfix/identity.yaml`)
    assert.deepEqual(warnings, [])
    assert.deepEqual([cloud.ports.length, cloud.servers.length, cloud.ovs.size], [11, 6, 3])
    assert.deepEqual(
      cloud.ovs
        .get('n0')
        ?.bridges.filter((bridge) => bridge.ipfix)
        .map((bridge) => bridge.name)
        .toSorted(),
      ['br-ex', 'br-int'],
    )
  })

  it('tells every fault at once, with line, column and path: wrong keys, values and references together', async () => {
    const faults = await faultsOf(`hosts:
  - { name: c0, adresses: [1.2.3.4] }
ports:
  - { id: x, network_id: nope, mac_address: zz }
  - { id: y, network_id: gone, mac_address: "fa:16:3e:00:00:01" }
servers: 3
`)
    assert.deepEqual(faults, [
      '2:17: hosts[0].adresses: unknown key; did you mean addresses?',
      '4:26: ports[0].network_id: there is no network nope',
      '4:45: ports[0].mac_address: is not a MAC address',
      '5:26: ports[1].network_id: there is no network gone',
      '6:10: servers: Invalid input: expected array, received number',
    ])
  })

  it('names a dump that is missing and one that is none', async () => {
    writeFileSync(join(folder, 'half.json'), '{"caption": "Bridge table", "head')
    const faults = await faultsOf('hosts:\n  - { name: a, ovsdb: missing.json }\n  - { name: b, ovsdb: half.json }\n')
    assert.match(faults[0] ?? '', /^2:23: hosts\[0\]\.ovsdb: cannot read the OVSDB dump .*missing\.json: ENOENT/)
    assert.match(faults[1] ?? '', /^3:23: hosts\[1\]\.ovsdb: .*half\.json, line 1: not JSON/)
  })

  it('that is not YAML is refused at the line of the mistake', async () => {
    assert.match((await faultsOf('hosts:\n  - { name: c0\nports: [')).join('\n'), /^\d+:\d+: /)
  })
})
