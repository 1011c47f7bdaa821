import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { within } from '../e2e/cli.ts'
import { PCAPS } from '../paths.ts'

const IDENTITY = `${PCAPS}ipfix/identity.yaml`
const folder = mkdtempSync(join(tmpdir(), 'ovsight-identity-'))
// Where clouds.yaml is looked for.
process.chdir(folder)
after(() => rmSync(folder, { recursive: true }))

async function ovsight(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await within(['identity', ...args])
  return { code: code ?? -1, stdout, stderr }
}

async function rows(...args: string[]): Promise<Record<string, string>[]> {
  const { stdout, stderr } = await ovsight(...args, '-f', 'json')
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as Record<string, string>[]
}

describe('ovsight identity', () => {
  it('lists everybody who has an address, tenants apart', async () => {
    const ports = await rows('show', 'ports', '192.168.10.8', '--identity', IDENTITY)
    assert.deepEqual(
      ports.map((port) => [port['project'], port['server'], port['host'], port['floating']]),
      [
        ['red', 'red-1', 'c0', '172.16.2.3'],
        ['blue', 'blue-1', 'c0', '172.16.2.13'],
      ],
    )
  })

  it('finds by MAC, by name and by the start of an id', async () => {
    for (const wanted of ['FA:16:3E:21:CF:75', 'red-1', '425fe781'])
      assert.equal((await rows('show', 'ports', wanted, '--identity', IDENTITY))[0]?.['server'], 'red-1', wanted)
  })

  it('says what each host exports', async () => {
    const [host] = await rows('show', 'hosts', 'n0', '--identity', IDENTITY)
    assert.deepEqual(host?.['exports']?.split(' ').toSorted(), ['br-ex:ipfix', 'br-int:ipfix'])
  })

  it('resolves a record with its evidence, and never to a server of the other tenant', async () => {
    const addresses = ['--src', '192.168.10.8', '--dst', '192.168.10.9']
    const ask = (ofport: string) =>
      rows('resolve', '--identity', IDENTITY, '--host', 'c0', '--ofport', ofport, ...addresses)
    const [source, destination] = await ask('2')
    assert.deepEqual([source?.['server'], source?.['grade'], source?.['evidence']], ['red-1', 'port', 'ofport'])
    assert.deepEqual([destination?.['server'], destination?.['evidence']], ['red-2', 'network_address'])
    assert.deepEqual(
      (await ask('4')).map((end) => end['server']),
      ['blue-1', 'blue-2'],
    )
  })

  it('names every mistake of a resolve at once', async () => {
    const wrong = ['--host', 'c9', '--ofport', 'x', '--src', 'nobody', '--at', 'soon']
    const { code, stderr } = await ovsight('resolve', '--identity', IDENTITY, ...wrong)
    assert.equal(code, 2)
    for (const part of ['no host c9; known are c0, c1, n0', '--ofport x', '--src nobody', '--at soon'])
      assert.ok(stderr.includes(part), stderr)
  })

  it('imports what a lab guide shows into a file that it can use', async () => {
    const ports = join(folder, 'ports.json')
    const port = {
      ID: '425fe781-d3aa-4b0f-9c11-000000000001',
      Name: 'web',
      'MAC Address': 'fa:16:3e:21:cf:75',
      'Fixed IP Addresses': [{ subnet_id: 'a62d865f-e87f-4ebd-b3e6-10b806299582', ip_address: '192.168.10.8' }],
    }
    writeFileSync(ports, JSON.stringify([port]))
    const texts = readdirSync(`${PCAPS}text`).map((name) => `${PCAPS}text/${name}`)
    const out = join(folder, 'cloud.yaml')
    const hosts = ['c0=10.0.10.14', 'c1=10.0.10.23', 'n0=10.0.10.10'].flatMap((host) => ['--host', host])
    const { code, stderr } = await ovsight('import', '-o', out, ...hosts, ...texts, ports)
    assert.equal(code, 0, stderr)
    // By name: nothing in these texts tells which bridge exports, and OpenFlow port 2 is there on br-int and on br-tun.
    const entered = ['--ifname', 'tap425fe781-d3', '--src', '192.168.10.8']
    const [source] = await rows('resolve', '--identity', out, '--host', 'c0', ...entered)
    assert.deepEqual([source?.['port_id'], source?.['grade']], [port.ID, 'port'])
  })

  it('says what to give when no source is named, and why a cloud cannot be read', async () => {
    const none = await ovsight('status')
    assert.equal(none.code, 2)
    assert.match(none.stderr, /--identity FILE, --os-cloud NAME/)
    const cloud = 'clouds: { down: { auth: { auth_url: "http://127.0.0.1:9", username: u, password: hidden } } }\n'
    writeFileSync(join(folder, 'clouds.yaml'), cloud)
    const down = await ovsight('show', 'servers', '--os-cloud', 'down')
    assert.equal(down.code, 9)
    assert.match(down.stderr, /127\.0\.0\.1:9.*ECONNREFUSED/)
    assert.ok(!down.stderr.includes('hidden'))
    const status = await ovsight('status', '--os-cloud', 'down', '-f', 'json')
    assert.equal((JSON.parse(status.stdout) as { state: string }[])[0]?.state, 'fault')
  })
})
