import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { AppError } from '../../src/errors.ts'
import { loadIdentityFile } from '../../src/identity/sources/file.ts'
import { PCAPS } from '../paths.ts'

const folder = mkdtempSync(join(tmpdir(), 'ovsight-identity-'))
after(() => rmSync(folder, { recursive: true }))

function write(text: string, name = 'identity.yaml'): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** Faults of a file, without its name: `line:column: path: what`. */
async function faultsOf(text: string): Promise<string[]> {
  const file = write(text)
  try {
    await loadIdentityFile(file, { timeoutMs: 200 })
  } catch (error) {
    assert.ok(error instanceof AppError)
    assert.equal(error.code, 'identity_invalid')
    return error.details.map((line) => line.replaceAll(`${file}:`, ''))
  }
  return []
}

async function warningsOf(text: string): Promise<string[]> {
  const file = write(text)
  const { warnings } = await loadIdentityFile(file, { timeoutMs: 200 })
  return warnings.map((line) => line.replaceAll(`${file}:`, ''))
}

describe('the identity file', () => {
  it('of each capture is read, with the OVSDB of its hosts, and nothing is wrong with it', async () => {
    for (const capture of ['ipfix', 'netflow5', 'sflow5', 'gre-mirror']) {
      const { cloud, warnings } = await loadIdentityFile(`${PCAPS}${capture}/identity.yaml`)
      assert.deepEqual(warnings, [])
      assert.equal(cloud.ports.length, 11)
      assert.deepEqual([...cloud.ovs.keys()], ['c0', 'c1', 'n0'])
      const bridges = cloud.ovs.get('n0')!.bridges.map((bridge) => bridge.name)
      assert.deepEqual(bridges.sort(), ['br-ex', 'br-int', 'br-phy', 'br-tun'])
    }
  })

  it('may be JSON, and an API answer with all its fields and nulls', async () => {
    const answer = {
      networks: [{ id: 'n', name: null, 'provider:segmentation_id': null, subnets: [], mtu: 1450, tags: [] }],
      ports: [
        {
          id: 'p',
          name: '',
          network_id: 'n',
          mac_address: 'fa:16:3e:00:00:01',
          device_id: '',
          device_owner: '',
          'binding:host_id': null,
          fixed_ips: [],
          allowed_address_pairs: null,
          security_groups: [],
          revision_number: 3,
        },
      ],
      routers: [{ id: 'r', name: 'r', project_id: '', external_gateway_info: null, routes: [] }],
      floatingips: [
        {
          id: 'f',
          floating_ip_address: '172.16.0.9',
          fixed_ip_address: null,
          port_id: null,
          router_id: null,
          floating_network_id: 'n',
        },
      ],
    }
    const { cloud } = await loadIdentityFile(write(JSON.stringify(answer)))
    assert.equal(cloud.ports[0]!['binding:host_id'], '')
    assert.equal(cloud.floatingips[0]!.port_id, '')
    assert.equal(cloud.routers[0]!.external_gateway_info, undefined)
  })

  it('that is empty is a cloud of nothing', async () => {
    for (const text of ['', '# nothing yet\n', '{}', 'ports:\n'])
      assert.equal((await loadIdentityFile(write(text))).cloud.ports.length, 0)
  })

  it('that cannot be read says so', async () => {
    await assert.rejects(loadIdentityFile(join(folder, 'missing.yaml')), { code: 'file_unreadable' })
  })
})

describe('faults of the identity file', () => {
  it('are told all at once, in order, each with line, column and path', async () => {
    const faults = await faultsOf(`hosts:
  - { name: c0, addresses: [10.0.0.300], ovsdb: nowhere.json }
networks:
  - { id: n1 }
subnets:
  - { id: s1, network_id: n1, cidr: 10.0.0.0/40 }
ports:
  - { id: p1, network_id: n1, mac_address: "fa:16:3e" }
  - id: p2
    network_id: n1
    fixed_ips: [{ ip_address: red }]
tenants: []
`)
    assert.deepEqual(faults, [
      '2:29: hosts[0].addresses[0]: is not an IP address',
      '6:37: subnets[0].cidr: is not an address range (CIDR)',
      '8:44: ports[0].mac_address: is not a MAC address',
      '9:5: ports[1].mac_address: is missing',
      '11:31: ports[1].fixed_ips[0].ip_address: is not an IP address',
      '12:1: tenants: unknown key',
    ])
  })

  it('are references to networks that are not there, and ids that occur twice', async () => {
    const faults = await faultsOf(`networks:
  - { id: n1 }
  - { id: n1 }
ports:
  - { id: p1, network_id: n2, mac_address: "fa:16:3e:00:00:01" }
subnets:
  - { id: s1, network_id: n3, cidr: 10.0.0.0/8 }
trunks:
  - { id: t1, port_id: p9, sub_ports: [] }
floatingips:
  - { id: f1, floating_ip_address: 172.16.0.1, floating_network_id: ext }
`)
    assert.deepEqual(faults, [
      '3:5: networks[1]: n1 is there already, as networks[0]',
      '5:27: ports[0].network_id: there is no network n2',
      '7:27: subnets[0].network_id: there is no network n3',
      '9:24: trunks[0].port_id: there is no port p9',
      '11:69: floatingips[0].floating_network_id: there is no network ext',
    ])
  })

  it('are two hosts with one address', async () => {
    const faults = await faultsOf(`hosts:
  - { name: c0, addresses: [10.0.0.1] }
  - { name: c1, addresses: [10.0.0.2, 10.0.0.1] }
`)
    assert.deepEqual(faults, ['3:39: hosts[1].addresses[1]: 10.0.0.1 is an address of host c0 too'])
  })

  it('are told where the YAML itself is wrong', async () => {
    const [fault] = await faultsOf('hosts:\n  - { name: c0\n  - { name: c1 }\n')
    assert.match(fault!, /^3:\d+: /)
    const [twice] = await faultsOf('ports: []\nports: []\n')
    assert.match(twice!, /^2:1: Map keys must be unique/)
  })

  it('are unknown keys of a host, which is ovsight’s own section, and misspelt sections', async () => {
    const faults = await faultsOf('hosts:\n  - { name: c0, ovsbd: c0.json }\nserver: []\n')
    assert.match(faults[0]!, /^2:17: hosts\[0\]\.ovsbd: unknown key.*ovsdb/)
    assert.match(faults[1]!, /^3:1: server: unknown key.*servers/)
  })

  it('are dumps that are missing, or are something else', async () => {
    write('{"caption":"Bridge table","headings":["_uuid"]}\nnot json\n', 'odd.json')
    write('', 'empty.json')
    const faults = await faultsOf(`hosts:
  - { name: c0, ovsdb: missing.json }
  - { name: c1, ovsdb: odd.json }
  - { name: c2, ovsdb: empty.json }
  - { name: c3, ovsdb: "punix:/run/db.sock" }
`)
    assert.match(faults[0]!, /^2:24: hosts\[0\]\.ovsdb: cannot read the OVSDB dump .*missing\.json: ENOENT/)
    assert.match(faults[1]!, /^3:24: hosts\[1\]\.ovsdb: .*odd\.json, line 1: not a table/)
    assert.match(faults[2]!, /^3:24: hosts\[1\]\.ovsdb: .*odd\.json, line 2: not JSON/)
    assert.match(faults[3]!, /^4:24: hosts\[2\]\.ovsdb: .*empty\.json, there is no Bridge table in it/)
    assert.match(faults[4]!, /^5:24: hosts\[3\]\.ovsdb: /)
  })
})

describe('warnings of the identity file', () => {
  it('are references that cost only a name', async () => {
    const warnings = await warningsOf(`networks:
  - { id: n1, project_id: gone }
ports:
  - { id: p1, network_id: n1, mac_address: "fa:16:3e:00:00:01", device_owner: "compute:nova", device_id: vm, "binding:host_id": c9, fixed_ips: [{ ip_address: 10.0.0.1, subnet_id: s9 }] }
`)
    assert.deepEqual(
      warnings.map((line) => line.replace(/^[\d:]+ /, '')),
      [
        'networks[0].project_id: there is no project gone',
        'ports[0]."binding:host_id": there is no host c9',
        'ports[0].device_id: there is no server vm',
        'ports[0].fixed_ips[0].subnet_id: there is no subnet s9',
      ],
    )
  })

  it('are OVSDB servers that do not answer: the rest goes on', async () => {
    const file = write('hosts:\n  - { name: c0, addresses: [10.0.0.1], ovsdb: "tcp:127.0.0.1:1" }\n')
    const { cloud, warnings } = await loadIdentityFile(file, { timeoutMs: 500 })
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]!, /hosts\[0\]\.ovsdb: host c0: OVSDB tcp:127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/)
    assert.equal(cloud.ovs.size, 0)
  })
})

describe('a dump cut or damaged anywhere', () => {
  it('is read or told as faulty, and nothing else', async () => {
    const whole = readFileSync(`${PCAPS}ipfix/ovsdb-c0.json`)
    for (let at = 0; at < whole.length; at += 997) {
      write(whole.subarray(0, at).toString('latin1'), 'cut.json')
      const damaged = Buffer.from(whole)
      damaged[at] = 0x22
      write(damaged.toString('latin1'), 'damaged.json')
      for (const name of ['cut.json', 'damaged.json']) {
        const file = write(`hosts:\n  - { name: c0, ovsdb: ${name} }\n`)
        await loadIdentityFile(file).catch((error: unknown) => {
          assert.ok(error instanceof AppError && error.code === 'identity_invalid', String(error))
        })
      }
    }
  })
})
