import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FilterError } from '../../../src/query/filter/error.ts'
import { parseFilter } from '../../../src/query/filter/parse.ts'
import { printFilter } from '../../../src/query/filter/print.ts'

/** What is written, and how it is understood, printed back. */
const UNDERSTOOD: Readonly<Record<string, string>> = {
  'project red and server web-1 and dst port 443': 'project red and server web-1 and dst port 443',
  'src network net1': 'src network net1',
  'host compute-3': 'host compute-3',
  'host 10.0.0.1': 'ip 10.0.0.1',
  'net 10.1.2.3/8': 'net 10.0.0.0/8',
  'ip 10.0.0.1': 'ip 10.0.0.1',
  'src 10.0.0.1 or dst 2001:DB8::/32': 'src ip 10.0.0.1 or dst net 2001:db8::/32',
  'src or dst net 10.0.0.0/8': 'net 10.0.0.0/8',
  'dst and src net 10.0.0.0/8': 'src and dst net 10.0.0.0/8',
  'proto tcp and flags S and not flags A': 'proto tcp and flags S and not flags A',
  'tcp && !(flags SA || flags R)': 'proto tcp and not (flags SA or flags R)',
  'proto 200': 'proto 200',
  'vni 1010': 'vni 1010',
  'bytes > 1M and packets <= 64Ki': 'bytes > 1000000 and packets <= 65536',
  'direction north-south': 'direction north-south',
  'grade ambiguous': 'grade ambiguous',
  'src_grade = ambiguous': 'src grade ambiguous',
  'src_server web-1': 'src server web-1',
  'server in [web-1, "web 2" web-3]': 'server in [web-1, "web 2", web-3]',
  'port not in (80, 443)': 'port not in [80, 443]',
  'port web': 'port web',
  'port "443"': 'port "443"',
  'port 425fe781-d3aa-4b0f-9c11-000000000001': 'port 425fe781-d3aa-4b0f-9c11-000000000001',
  'src port > 1023': 'src port > 1023',
  'server "say \\"hi\\""': 'server "say \\"hi\\""',
  'mac FA-16-3E-00-00-01': 'mac fa:16:3e:00:00:01',
  'exporter 10.0.10.14': 'exporter 10.0.10.14',
  'in_if_name like "tap%"': 'in_if_name like tap%',
  'server not like tap%': 'server not like tap%',
  'vlan != 0x10': 'vlan != 16',
  'arp or icmp6': 'ether_type 2054 or proto icmp6',
  'flow_end >= 2026-01-01': 'flow_end >= 2026-01-01T00:00:00.000Z',
  'tcp or udp and vlan 5': 'proto tcp or (proto udp and vlan 5)',
  '(tcp or udp) and vlan 5': '(proto tcp or proto udp) and vlan 5',
  'tenant red and vm web': 'project red and server web',
  '': '',
}

/** What is wrong, the column of the mistake, and what is said. */
const REFUSED: readonly (readonly [string, number, RegExp])[] = [
  ['project red and sever web-1', 17, /"sever"; did you mean server/],
  ['project red server web', 13, /"and" or "or" is missing before "server"/],
  ['project', 8, /ends where a value is expected/],
  ['project red and', 16, /ends where a condition is expected/],
  ['(tcp', 1, /never closed/],
  ['tcp)', 4, /never opened/],
  ['(tcp udp)', 6, /missing before "udp"/],
  ['server "web', 8, /quote is never closed/],
  ['server and', 8, /quote it if it is one/],
  ['grade ambigous', 7, /did you mean ambiguous/],
  ['grade nothing_at_all_like_it', 7, /it is one of unknown, port, /],
  ['direction north', 11, /is no direction/],
  ['ip 10.0.0', 4, /neither an address nor a prefix/],
  ['net 10.0.0.0/33', 5, /neither an address nor a prefix/],
  ['vlan 70000', 6, /more than vlan can be, 65535/],
  ['packets > 1.5', 11, /no whole number/],
  ['bytes > many', 9, /no number; write 443/],
  ['server > web', 8, /">" does not go with server; =, !=, in, /],
  ['flags < S', 7, /does not go with flags/],
  ['flags Q', 7, /letters of FSRPAUECN/],
  ['proto tpc', 7, /no protocol/],
  ['src vlan 5', 5, /of the whole record/],
  ['src src_server web', 5, /says already which end/],
  ['server in []', 11, /list is empty/],
  ['server in web', 11, /list is expected/],
  ['server in [a', 11, /list is never closed/],
  ['port in [80 web]', 13, /numbers and names/],
  ['10.0.0.1', 1, /write ip 10\.0\.0\.1/],
  ['server like "a\\\\"', 13, /cannot end with a backslash/],
  ['tcp & udp', 5, /stands alone; write && or "and"/],
  ['mac fa:16:3e', 5, /no MAC address/],
  ['flow_end > yesterday', 12, /no time/],
]

describe('the filter language', () => {
  for (const [text, printed] of Object.entries(UNDERSTOOD)) {
    it(`understands ${JSON.stringify(text)}`, () => {
      const tree = parseFilter(text)
      assert.equal(tree === undefined ? '' : printFilter(tree), printed)
    })
  }

  for (const [text, position, message] of REFUSED)
    it(`points at the mistake in ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseFilter(text),
        (error) => {
          assert.ok(error instanceof FilterError)
          assert.match(error.message, message)
          assert.equal(error.position, position)
          assert.equal(error.details[1]?.indexOf('^'), position - 1)
          return true
        },
      )
    })

  it('shows only what is around a mistake in a long filter', () => {
    const text = `${Array.from({ length: 50 }, (_, i) => `vlan ${i}`).join(' or ')} or nothing 5`
    assert.throws(
      () => parseFilter(text),
      (error) => {
        const [line, caret] = (error as FilterError).details
        assert.equal(line, '…n 47 or vlan 48 or vlan 49 or nothing 5')
        assert.equal(caret, `${' '.repeat(line.indexOf('nothing'))}^`)
        return true
      },
    )
  })
})
