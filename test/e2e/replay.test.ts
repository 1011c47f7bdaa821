import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { PCAPS } from '../paths.ts'
import { NO_ENGINE, type ServerRow, answer, ovsight, temporary, truthOf, within } from './cli.ts'

const files = (capture: string) => ({
  identity: `${PCAPS}${capture}/identity.yaml`,
  pcap: `${PCAPS}${capture}/capture.pcap`,
})

/** Replays a capture into a store of its own and answers `top server`. */
async function servers(capture: string, data = join(temporary(), 'data')): Promise<{ rows: Map<string, ServerRow> }> {
  const { identity, pcap } = files(capture)
  const { code, stderr } = await within(['replay', '--identity', identity, '--data', data, pcap])
  assert.equal(code, 0, stderr)
  const rows = await answer<ServerRow>(['top', 'server', '--data', data])
  for (const { server, project } of rows) assert.ok(server.startsWith(`${project}-`), `${server} is of ${project}`)
  return { rows: new Map(rows.map((row) => [row.server, row])) }
}

describe('replay of real exports', { skip: NO_ENGINE }, () => {
  const data = join(temporary(), 'data')
  let ipfix: Awaited<ReturnType<typeof servers>>
  before(async () => {
    ipfix = await servers('ipfix', data)
  })

  it('of IPFIX counts what every server sent and received, to the byte', async () => {
    const { rows } = ipfix
    for (const { server, sent, received } of truthOf('ipfix')) {
      assert.equal(rows.get(server)?.sent_l2_bytes, sent, `${server} sent`)
      assert.equal(rows.get(server)?.received_l2_bytes, received, `${server} received`)
    }
    await checkTotals(data, [...rows.values()])
  })

  it('of a GRE mirror counts what the mirrored server sent and received, to the byte', async () => {
    const { rows } = await servers('gre-mirror')
    const { sent, received } = truthOf('gre-mirror').find(({ server }) => server === 'red-1')!
    assert.equal(rows.get('red-1')?.sent_l2_bytes, sent)
    assert.equal(rows.get('red-1')?.received_l2_bytes, received)
    assert.ok([...rows.values()].every(({ project }) => project === 'red'))
  })

  it('of NetFlow v5, which has IPv4 only, counts within one percent where a server moved over 30 kB', async () => {
    const { rows } = await servers('netflow5')
    let compared = 0
    for (const { server, sent, received } of truthOf('netflow5')) {
      const row = rows.get(server)
      assert.ok(row, server)
      for (const [seen, own] of [
        [row.sent_l2_bytes, sent],
        [row.received_l2_bytes, received],
      ] as const) {
        assert.ok(seen <= own, `${server}: ${seen} of ${own}`)
        if (own <= 30_000) continue
        assert.ok(Math.abs(seen - own) / own < 0.01, `${server}: ${seen} beside ${own}`)
        compared++
      }
    }
    assert.ok(compared >= 6)
  })

  it('of sFlow estimates within four standard errors, and says how large the error may be', async () => {
    const { rows } = await servers('sflow5')
    for (const { server, sent, received } of truthOf('sflow5')) {
      const row = rows.get(server)
      assert.ok(row, server)
      // The error given is half a 95 % interval: 1.96 standard errors.
      for (const [seen, own, error] of [
        [row.sent_l2_bytes, sent, row.sent_l2_bytes_error],
        [row.received_l2_bytes, received, row.received_l2_bytes_error],
      ] as const) {
        assert.ok(error !== undefined && error > 0, server)
        assert.ok(Math.abs(seen - own) <= (4 / 1.96) * error, `${server}: ${seen} ± ${error} beside ${own}`)
      }
    }
  })

  it('keeps tenants apart that use one address', async () => {
    const rows = await answer<{ src_addr: string; src_project: string; l2_bytes: number }>([
      ...['top', 'src_addr', 'src_project', '--data', data, '-n', '50', '--filter', 'src addr 192.168.10.8'],
    ])
    assert.deepEqual(rows.map(({ src_project }) => src_project).sort(), ['blue', 'red'])
  })
})

/** Each byte once: what a project moved is what its servers sent and received, less what both ends of it hold. */
async function checkTotals(data: string, rows: readonly ServerRow[]): Promise<void> {
  interface ProjectRow {
    project: string
    sent_l2_bytes: number
    received_l2_bytes: number
    l2_bytes: number
  }
  const projects = await answer<ProjectRow>(['top', 'project', '--data', data])
  for (const project of projects) {
    const own = rows.filter((row) => row.project === project.project)
    const sum = (pick: (row: ServerRow) => number) => own.reduce((total, row) => total + pick(row), 0)
    assert.equal(
      project.sent_l2_bytes,
      sum((row) => row.sent_l2_bytes),
    )
    assert.equal(
      project.received_l2_bytes,
      sum((row) => row.received_l2_bytes),
    )
    assert.ok(project.l2_bytes < project.sent_l2_bytes + project.received_l2_bytes)
    assert.ok(project.l2_bytes >= Math.max(project.sent_l2_bytes, project.received_l2_bytes))
  }
}

describe('replay', { skip: NO_ENGINE }, () => {
  it('stores a capture once, however often it is replayed and whatever it is called, and says so', async () => {
    const data = join(temporary(), 'data')
    const { pcap } = files('netflow5')
    const first = await ovsight(['replay', '--data', data, pcap])
    assert.match(first.stdout, /^records {3}41$/m)
    assert.match(first.stdout, /^stored {4}41 records in embedded/m)
    const again = await ovsight(['replay', '--data', data, '-', pcap], readFileSync(pcap))
    assert.match(again.stdout, /^stored {4}0 records .*\(82 were there from an earlier replay/m)
    assert.match(again.stdout, /^store {5}41 records now, 2026-/m)
  })

  it('stores what was sound of a cut capture, says where the cut is, and ends with code 4', async () => {
    const folder = temporary()
    const cut = join(folder, 'cut.pcap')
    const whole = readFileSync(files('ipfix').pcap)
    writeFileSync(cut, whole.subarray(0, 100_000))
    const { code, stdout, stderr } = await within(['replay', '--data', join(folder, 'data'), cut])
    assert.equal(code, 4, stderr)
    assert.match(stderr, /cut\.pcap: the capture .* at byte \d+, after packet \d+/)
    assert.match(stdout, /^stored {4}[1-9]\d* records/m)
  })

  it('goes on with the next file when one cannot be read, and ends with code 3', async () => {
    const folder = temporary()
    const text = join(folder, 'notes.txt')
    writeFileSync(text, 'not a capture at all, only text\n'.repeat(10))
    const { code, stdout, stderr } = await within([
      ...['replay', '--data', join(folder, 'data'), text, join(folder, 'none.pcap'), files('netflow5').pcap],
    ])
    assert.equal(code, 3)
    assert.match(stderr, /notes\.txt: not a packet capture/)
    assert.match(stderr, /none\.pcap: .*there is no such file/)
    assert.match(stdout, /^stored {4}41 records/m)
  })

  it('takes further ports, and hints at those that look like exports', async () => {
    const folder = temporary()
    const moved = join(folder, 'moved.pcap')
    const bytes = readFileSync(files('netflow5').pcap)
    for (let at = bytes.indexOf('0807', 0, 'hex'); at >= 0; at = bytes.indexOf('0807', at + 2, 'hex'))
      bytes.writeUInt16BE(9995, at)
    writeFileSync(moved, bytes)
    const data = join(folder, 'data')
    const unknown = await within(['replay', '--data', data, moved])
    assert.match(
      unknown.stdout,
      /^hint .*port 9995 carries what looks like netflow \(12 datagrams\): --port netflow=9995$/m,
    )
    assert.match(unknown.stdout, /^stored {4}0 records/m)
    const known = await ovsight(['replay', '--data', data, '--port', 'netflow=9995', moved])
    assert.match(known.stdout, /^stored {4}41 records/m)
  })
})

describe('replay, before it opens anything,', () => {
  it('refuses ports and options that mean nothing, with code 2', async () => {
    const port = await within(['replay', '--port', 'netflw=9995', 'x.pcap'])
    assert.equal(port.code, 2)
    assert.match(port.stderr, /--port "netflw=9995" .*did you mean.*netflow/)
    assert.equal((await within(['replay'])).code, 2)
    assert.equal((await within(['replay', '--netflow-port', '1', 'x.pcap'])).code, 2)
    const config = await within(['replay', '--spool-max', '1', 'x.pcap'])
    assert.equal(config.code, 2)
  })

  it('reports all faults of an identity file with line and path, and ends with code 2', async () => {
    const folder = temporary()
    const identity = join(folder, 'cloud.yaml')
    writeFileSync(identity, 'projects:\n  - { name: red }\nports:\n  - { id: p1 }\n')
    const { code, stderr } = await within(['replay', '--identity', identity, '--data', folder, 'x.pcap'])
    assert.equal(code, 2)
    assert.match(stderr, /cloud\.yaml:2:\d+: projects\[0\]\.id/)
    assert.match(stderr, /cloud\.yaml:4:\d+: ports\[0\]\.mac_address/)
  })
})
