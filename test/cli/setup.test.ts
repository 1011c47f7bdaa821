import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import { OVSDB_MISSING, RealOvsdb } from '../identity/real-ovsdb.ts'
import { PCAPS } from '../paths.ts'
import { run } from './run.ts'

const IDENTITY = `${PCAPS}ipfix/identity.yaml`
const setup = (...words: string[]) => run(['setup', ...words, '--identity', IDENTITY])
const lines = async (...words: string[]) =>
  JSON.parse((await setup(...words, '--collector', '10.0.0.5', '-f', 'json')).stdout) as Record<string, string>[]

describe('ovsight setup', () => {
  it('has a line a bridge that the host really has, and one that undoes it', async () => {
    const found = await lines('c0')
    assert.deepEqual([...new Set(found.map(({ kind }) => kind))], ['ipfix'])
    assert.ok(found.map(({ bridge }) => bridge).includes('br-int'))
    assert.equal(new Set(found.map(({ set }) => /obs_domain_id=(\d+)/.exec(set!)?.[1])).size, found.length)
    const text = (await setup('c0', '--collector', '10.0.0.5')).stdout
    assert.match(text, /^# on c0\n# br-int: IPFIX, 1 in 64/)
    assert.match(text, /\n# to undo it\n# {3}ovs-vsctl -- clear Bridge br-int ipfix\n/)
    // A bridge keeps its engine id whichever are asked for.
    const [all, one] = [await lines('c0', '--export', 'netflow'), await lines('c0', '--export', 'netflow', '--bridge', 'br-tun')] // prettier-ignore
    assert.deepEqual(one, all.filter(({ bridge }) => bridge === 'br-tun')) // prettier-ignore
  })

  it('mirrors every port of a server by name', async () => {
    const [line] = await lines('c0', 'c1', 'n0', '--mirror', 'red-1')
    assert.match(
      line?.['set'] ?? '',
      /add-port br-int ovsm-[0-9a-f-]{10} .* type=gre options:remote_ip=10.0.0.5 options:key=1001 /,
    )
    assert.match((await lines('c0', 'c1', 'n0', '--mirror', 'red-1', '--tunnel', 'vxlan'))[0]?.['set'] ?? '', /type=vxlan .*dst_port=4789/) // prettier-ignore
  })

  it('refuses what it cannot know', async () => {
    const refused = async (words: string[], message: RegExp) => {
      const { error } = await setup(...words)
      assert.equal(error?.code, 'usage', words.join(' '))
      assert.match([error.message, ...error.details].join('\n'), message)
    }
    await refused(['c0'], /--collector/)
    await refused(['c0', '--collector', 'collector.example'], /looks no names up/)
    await refused(['c9', '--collector', '10.0.0.5'], /did you mean c0/)
    await refused(['c0', '--collector', '10.0.0.5', '--bridge', 'br-none'], /it has .*br-int/)
    await refused(['c0', '--collector', '10.0.0.5', '--mirror', 'nobody'], /no server is called "nobody"/)
    await refused(['c0', '--collector', '10.0.0.5', '--sampling', '0'], /1 to/)
    await refused(['c0', '--collector', '10.0.0.5', '--export', 'jflow'], /ipfix, netflow, sflow/)
  })

  describe('on a real ovsdb-server', { skip: OVSDB_MISSING }, () => {
    const ovsdb = OVSDB_MISSING === false ? new RealOvsdb() : undefined
    const shell = (script: string) =>
      execFileSync('bash', ['-ec', `ovs-vsctl() { command ovs-vsctl --db=unix:${ovsdb!.socket} --no-wait --timeout=10 "$@"; }\n${script}`], { encoding: 'utf8' }) // prettier-ignore
    before(async () => {
      await ovsdb!.start()
      for (const bridge of ['br-int', 'br-tun', 'br-ex']) shell(`ovs-vsctl --may-exist add-br ${bridge}`)
    })
    after(() => ovsdb?.close())
    const dump = () =>
      ['NetFlow', 'IPFIX', 'sFlow', 'Mirror', 'Port']
        .map((table) => shell(`ovs-vsctl -f csv --no-headings --columns=_uuid list ${table} | sort`))
        .join('\n--\n')

    for (const collector of ['10.0.0.5', 'fd00::5'])
      it(`every line works, may be run again, and is undone: ${collector}`, async () => {
        const mirrored = await lines('c0', 'c1', 'n0', '--mirror', 'red-1')
        const device = /--id=@p get Port (\S+)/.exec(mirrored[0]!['set']!)![1]!
        shell(`ovs-vsctl --may-exist add-port br-int ${device}`)
        const clean = dump()
        const all = ['netflow', 'ipfix', 'sflow'].flatMap((kind) => ['--export', kind])
        const { stdout } = await setup('c0', ...all, '--collector', collector, '-f', 'json')
        const host = JSON.parse(stdout) as Record<string, string>[]
        const bridges = new Set(host.map(({ bridge }) => bridge))
        for (const bridge of bridges) shell(`ovs-vsctl --may-exist add-br ${bridge!}`)
        const begun = dump()
        for (const { set } of [...host, ...host]) shell(set!)
        assert.match(shell('ovs-vsctl --columns=targets list NetFlow'), collector === 'fd00::5' ? /"\[fd00::5\]:2055"/ : /"10\.0\.0\.5:2055"/) // prettier-ignore
        assert.equal(shell('ovs-vsctl -f csv --no-headings --columns=engine_id list NetFlow').trim().split('\n').length, bridges.size) // prettier-ignore
        shell(mirrored[0]!['set']!)
        assert.match(shell('ovs-vsctl --columns=name,select_src_port,output_port list Mirror'), /ovsight-/)
        for (const { undo } of [...host, mirrored[0]!]) shell(undo!)
        assert.equal(dump(), begun)
        assert.ok(begun.length >= clean.length)
      })
  })
})
