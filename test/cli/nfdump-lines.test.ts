import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { LINE_FORMATS, lineHead, lineText, type LineFormat } from '../../src/cli/nfdump-lines.ts'
import { PCAPS } from '../paths.ts'

/** What nfdump 1.7.1 printed of pcaps/netflow5/capture.pcap, received by nfcapd. */
const NFDUMP: Readonly<Record<LineFormat, string>> = {
  line: `Date first seen             Duration     Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets    Bytes Flows
2026-11-22 07:48:57.377     00:00:00.047 TCP       192.168.20.3:5403  ->     192.168.10.8:50522       13     1790     1
2026-11-22 07:48:55.903     00:00:00.091 TCP       192.168.10.9:5400  ->     192.168.10.8:45580      102    11790     1
2026-11-22 07:48:58.336     00:00:00.000 TCP       192.168.10.9:44190 ->       172.16.2.1:5405         1       74     1`,
  long: `Date first seen             Duration     Proto      Src IP Addr:Port          Dst IP Addr:Port     Flags Tos  Packets    Bytes Flows
2026-11-22 07:48:57.377     00:00:00.047 TCP       192.168.20.3:5403  ->     192.168.10.8:50522 ...AP.SF   0       13     1790     1
2026-11-22 07:48:55.903     00:00:00.091 TCP       192.168.10.9:5400  ->     192.168.10.8:45580 ...A..SF   0      102    11790     1
2026-11-22 07:48:58.336     00:00:00.000 TCP       192.168.10.9:44190 ->       172.16.2.1:5405  ......S.   0        1       74     1`,
  extended: `Date first seen             Duration     Proto      Src IP Addr:Port          Dst IP Addr:Port     Flags Tos  Packets    Bytes      pps      bps    Bpp Flows
2026-11-22 07:48:57.377     00:00:00.047 TCP       192.168.20.3:5403  ->     192.168.10.8:50522 ...AP.SF   0       13     1790      276   304680    137     1
2026-11-22 07:48:55.903     00:00:00.091 TCP       192.168.10.9:5400  ->     192.168.10.8:45580 ...A..SF   0      102    11790     1120    1.0 M    115     1
2026-11-22 07:48:58.336     00:00:00.000 TCP       192.168.10.9:44190 ->       172.16.2.1:5405  ......S.   0        1       74        0        0     74     1`,
}

describe('lines as nfdump prints them', () => {
  const rows = readFileSync(`${PCAPS}netflow5/capture.rows.jsonl`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string | number>)
    // NetFlow of OVS counts frames, and nfdump repeats that.
    .map((row) => ({ tos: 0, ...row, bytes: row['l2_bytes']! }))
  for (const format of Object.keys(LINE_FORMATS) as LineFormat[])
    it(`-o ${format} is what nfdump printed of the same exports`, () => {
      const lines = new Set(rows.map((row) => lineText(format, row)))
      const [head, ...expected] = NFDUMP[format].split('\n')
      assert.equal(lineHead(format), head)
      for (const line of expected) assert.ok(lines.has(line), `${line}\n${[...lines].join('\n')}`)
    })

  it('shortens IPv6, and puts ICMP type and code where the port stands', () => {
    const row = { flow_start: '', flow_end: '2026-01-01T00:00:00.000Z', src_addr: '2001:db8:1:2:3:4:5:6', dst_addr: 'fd00::1', ip_protocol: 58, icmp_type: 128, icmp_code: 0, src_l4_port: 0, dst_l4_port: 0, packets: 2e9, bytes: 3e12, tcp_flags: 0, tos: 0 } // prettier-ignore
    assert.equal(
      lineText('line', row),
      '2026-01-01 00:00:00.000     00:00:00.000 ICMP6 2001:db..3:4:5:6.0     ->          fd00::1.128.0    2.0 G    3.0 T     1',
    )
  })
})
