import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { HAS_INTEROP, INTEROP, PCAPS } from '../paths.ts'
import { capturedDatagrams } from './captured.ts'
import { datagram, rowsOf, type Row } from './ipfix-feed.ts'

/** A node of tshark's JSON: fields, and dissected layers below their name. */
interface Tree {
  [key: string]: string | Tree | Tree[]
}

/** Captures, and how many flow samples tshark finds in them (it stops in a datagram at the first counter record it does not know). */
const CAPTURES = [
  { file: `${PCAPS}sflow5/capture.pcap`, port: 6343, samples: 180 },
  { file: `${PCAPS}openvswitch/ovs-sflow.pcap`, port: 26343, samples: 28 },
  { file: `${INTEROP}akvorado/sflow/data-1140.pcap`, port: 6343, samples: 5 },
  { file: `${INTEROP}akvorado/sflow/data-discard-interface.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-encap-vxlan.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-icmpv4.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-icmpv6.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-local-interface.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-multiple-interfaces.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-qinq.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-sflow-expanded-sample.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-sflow-ipv4-data.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}akvorado/sflow/data-sflow-raw-ipv4.pcap`, port: 6343, samples: 2 },
  { file: `${INTEROP}tcpdump/sflow_expanded.pcap`, port: 6343, samples: 1 },
  { file: `${INTEROP}tcpdump/sflow_multiple_counter_30_pdus.pcap`, port: 6343, samples: 0 },
  { file: `${INTEROP}tcpdump/sflow-print-v6.pcap`, port: 6343, samples: 0 },
  { file: `${INTEROP}tcpdump/sflow_print-segv.pcap`, port: 6343, samples: 0 },
]

const hasTshark = spawnSync('tshark', ['--version']).status === 0

function readWithTshark(file: string, port: number): Tree[] {
  const args = ['-r', file, '-d', `udp.port==${port},sflow`, '-Y', 'sflow', '-T', 'json', '--no-duplicate-keys']
  const json = execFileSync('tshark', args, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] }).toString()
  const packets = JSON.parse(json === '' ? '[]' : json) as Record<'_source', { layers: Tree }>[]
  return packets.map(({ ['_source']: source }) => source.layers)
}

async function decode(file: string, port: number): Promise<Row[][]> {
  const decoder = new Sflow5Decoder(NO_SINK)
  const perDatagram: Row[][] = []
  for (const payload of await capturedDatagrams(file, (to) => to === port)) {
    const out = new FlowBatch(512)
    decoder.decode(datagram(payload.bytes, payload), out)
    perDatagram.push(rowsOf(out))
  }
  return perDatagram
}

const number = (value: string | Tree | Tree[] | undefined) => (typeof value === 'string' ? Number(value) : undefined)
const tree = (value: string | Tree | Tree[] | undefined): Tree => (typeof value === 'object' ? (value as Tree) : {})
const mac = (value: string | Tree | Tree[] | undefined) => (value as string | undefined)?.replaceAll(':', '')

/** What tshark says of a flow sample, as the columns we should have; undefined where it says nothing. */
function expected(sample: Tree): Row {
  const field = (name: string) => number(sample[`sflow.flow_sample.${name}`])
  const output = tree(sample['sflow.flow_sample.output_interface_tree'])
  const format = number(output['sflow.flow_sample.output_interface_format']) ?? field('output_interface.format')
  const value = number(output['sflow.flow_sample.output_interface_value']) ?? field('output_interface_value') ?? 0
  const kinds = ['interface', 'none', value === 1 ? 'unknown_single' : 'multiple']
  const rate = field('sampling_rate')!
  const raw = tree(sample['Raw packet header'])
  const length = number(raw['sflow_245.header.frame_length'])
  const stripped = number(raw['sflow_245.header.payload_stripped'])
  const source = (field('source_id_class') ?? field('source_id_type'))! * 2 ** 24
  return {
    observation_point: source + (field('index') ?? field('source_id_index'))!,
    in_if: field('input_interface') ?? field('input_interface_value'),
    out_if: format === 1 || (format === 2 && value === 1) ? 0 : value,
    output_kind: format === 0 ? (value === 0x3fffffff ? 'local' : value === 0 ? 0 : 'interface') : kinds[format!],
    sampling_rate: rate,
    packets: rate,
    l2_bytes: length === undefined || stripped! < 4 ? undefined : (length - 4) * rate,
    ...headers(tree(raw['sflow_245.header_tree']), rate),
  } as Row
}

function headers(packet: Tree, rate: number): Row {
  const { eth, ip, ipv6, tcp, udp, sctp, icmp, icmpv6, vlan } = packet as Record<string, Tree | undefined>
  const vlans = vlan?.['vlan.id'] === undefined ? ((vlan as unknown as Tree[] | undefined) ?? []) : [vlan]
  const ports = tcp ?? udp ?? sctp
  const name = tcp === undefined ? (udp === undefined ? 'sctp' : 'udp') : 'tcp'
  const message = icmp ?? icmpv6
  const prefix = icmp === undefined ? 'icmpv6' : 'icmp'
  return {
    dst_mac: mac(eth?.['eth.dst']),
    src_mac: mac(eth?.['eth.src']),
    vlan: number(vlans[0]?.['vlan.id']),
    inner_vlan: number(vlans[1]?.['vlan.id']),
    ip_version: ip === undefined ? (ipv6 === undefined ? 0 : 6) : 4,
    src_addr: ip?.['ip.src'] as string | undefined,
    dst_addr: ip?.['ip.dst'] as string | undefined,
    ip_protocol: number(ip?.['ip.proto']),
    tos: number(ip?.['ip.dsfield']),
    ttl: number(ip?.['ip.ttl']) ?? number(ipv6?.['ipv6.hlim']),
    bytes: (number(ip?.['ip.len']) ?? (ipv6 === undefined ? 0 : 40 + number(ipv6['ipv6.plen'])!)) * rate,
    src_l4_port: number(ports?.[`${name}.srcport`]),
    dst_l4_port: number(ports?.[`${name}.dstport`]),
    tcp_flags: number(tcp?.['tcp.flags']),
    icmp_type: number(message?.[`${prefix}.type`]),
    icmp_code: number(message?.[`${prefix}.code`]),
  } as Row
}

describe('sFlow v5 beside tshark', { skip: hasTshark ? false : 'tshark is not installed' }, () => {
  for (const { file, port, samples } of CAPTURES) {
    const name = file.replace(PCAPS, 'pcaps/').replace(INTEROP, 'interop/')
    const skip = !existsSync(file) && (HAS_INTEROP ? 'missing' : 'captures of other projects are not here')
    it(`reads every flow sample of ${name} as tshark does`, { skip }, async () => {
      const ours = await decode(file, port)
      const theirs = readWithTshark(file, port)
      let compared = 0
      for (const [i, layers] of theirs.entries()) {
        const found = Object.entries(tree(layers['sflow'])).filter(([key]) => /^(Expanded f|F)low sample/.test(key))
        for (const [j, [key, sample]] of found.entries()) {
          const row = ours[i]![j]!
          for (const [column, value] of Object.entries(expected(sample as Tree)))
            if (value !== undefined)
              assert.equal(row[column as keyof Row] ?? 0, value, `datagram ${i + 1}, ${key}: ${column}`)
          compared++
        }
      }
      assert.ok(compared >= samples, `only ${compared} samples compared`)
    })
  }
})
