/** `ovsight flows` on the NetFlow capture beside tshark and nfdump, record by record. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { PCAPS } from '../paths.ts'
import { NO_ENGINE, answer, ovsight, temporary } from './cli.ts'

const FILE = `${PCAPS}netflow5/capture.pcap`

/** A record as all three say it; times in milliseconds since 1970. */
interface Flow {
  source: string
  destination: string
  sourcePort: number
  /** ICMP: type * 256 + code, as NetFlow v5 has it. */
  destinationPort: number
  protocol: number
  tos: number
  tcpFlags: number
  input: number
  output: number
  packets: number
  octets: number
  firstMs: number
  lastMs: number
}

interface OurRow {
  src_addr: string
  dst_addr: string
  src_l4_port: number
  dst_l4_port: number
  icmp_type: number
  icmp_code: number
  ip_protocol: number
  tos: number
  tcp_flags: number
  in_if: number
  out_if: number
  packets: number
  l2_bytes: number
  flow_start: string
  flow_end: string
}

const toOurs = (row: OurRow): Flow => ({
  source: row.src_addr,
  destination: row.dst_addr,
  sourcePort: row.src_l4_port,
  destinationPort: row.ip_protocol === 1 ? row.icmp_type * 256 + row.icmp_code : row.dst_l4_port,
  protocol: row.ip_protocol,
  tos: row.tos,
  tcpFlags: row.tcp_flags,
  input: row.in_if,
  output: row.out_if,
  packets: row.packets,
  octets: row.l2_bytes,
  firstMs: Date.parse(row.flow_start),
  lastMs: Date.parse(row.flow_end),
})

const sorted = (flows: readonly Flow[]) => flows.map((flow) => JSON.stringify(flow)).sort()

function missing(tool: string): string | false {
  return spawnSync(tool, ['-h']).error === undefined ? false : `${tool} is not installed`
}

/** tshark prints a list a field and datagram; the header's fields once. */
const LISTS = [
  ...['srcaddr', 'dstaddr', 'srcport', 'dstport', 'protocol', 'tos', 'tcpflags', 'inputint', 'outputint', 'packets'],
  ...['octets', 'timestart', 'timeend'],
] as const
const HEADER = ['unix_secs', 'unix_nsecs', 'sysuptime'] as const

function byTshark(): Flow[] {
  const fields = [...HEADER, ...LISTS].flatMap((field) => ['-e', `cflow.${field}`])
  const options = ['-r', FILE, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=,', ...fields]
  const text = execFileSync('tshark', options, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  return text
    .trim()
    .split('\n')
    .flatMap((line) => {
      const columns = line.split('\t').map((list) => list.split(','))
      const [[seconds], [nanoseconds], [uptime], ...lists] = columns as [string[], string[], string[], ...string[][]]
      const headerMs = Number(seconds) * 1000 + Math.floor(Number(nanoseconds) / 1e6)
      const at = (stamp: string) => Math.round(headerMs - (Number(uptime) - Number(stamp)) * 1000)
      return lists[0]!.map((_, i): Flow => {
        const of = Object.fromEntries(LISTS.map((field, k) => [field, lists[k]![i]!])) as Record<
          (typeof LISTS)[number],
          string
        >
        return {
          source: of.srcaddr,
          destination: of.dstaddr,
          sourcePort: Number(of.srcport),
          destinationPort: Number(of.dstport),
          protocol: Number(of.protocol),
          tos: Number(of.tos),
          tcpFlags: Number(of.tcpflags),
          input: Number(of.inputint),
          output: Number(of.outputint),
          packets: Number(of.packets),
          octets: Number(of.octets),
          firstMs: at(of.timestart),
          lastMs: at(of.timeend),
        }
      })
    })
}

interface NfdumpFlow {
  src4_addr: string
  dst4_addr: string
  src_port?: number
  dst_port?: number
  icmp_type?: number
  icmp_code?: number
  proto: number
  src_tos: number
  /** `...AP.SF`, from CWR to FIN. */
  tcp_flags?: string
  input_snmp: number
  output_snmp: number
  in_packets: number
  in_bytes: number
  first: string
  last: string
}

const flagsOf = (text = '') => text.split('').reduce((flags, one) => flags * 2 + (one === '.' ? 0 : 1), 0)

/** Lets nfcapd receive the capture's datagrams and answers what nfdump reads from its file. */
async function byNfdump(folder: string): Promise<Flow[]> {
  const port = 20_000 + (process.pid % 10_000)
  const nfcapd = spawn('nfcapd', ['-b', '127.0.0.1', '-p', String(port), '-w', folder, '-t', '3600'], {
    stdio: 'ignore',
  })
  const gone = new Promise((resolve) => nfcapd.on('close', resolve))
  await sleep(1000)
  const payloads = execFileSync('tshark', ['-r', FILE, '-T', 'fields', '-e', 'udp.payload'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const socket = createSocket('udp4')
  for (const hex of payloads.trim().split('\n'))
    await new Promise((done) => socket.send(Buffer.from(hex.replaceAll(':', ''), 'hex'), port, '127.0.0.1', done))
  socket.close()
  await sleep(500)
  nfcapd.kill('SIGTERM')
  await gone
  assert.ok(readdirSync(folder).length > 0, 'nfcapd wrote a file')
  const text = execFileSync('nfdump', ['-R', folder, '-o', 'json', '-q'], { encoding: 'utf8' })
  // 1.7.1 writes objects with commas between and, asked to be quiet, no brackets around.
  const flows = JSON.parse(
    `[${text
      .trim()
      .replace(/^\[|\]$/g, '')
      .replace(/,\s*$/, '')}]`,
  ) as NfdumpFlow[]
  return flows.map((flow) => ({
    source: flow.src4_addr,
    destination: flow.dst4_addr,
    sourcePort: flow.src_port ?? 0,
    destinationPort: flow.dst_port ?? flow.icmp_type! * 256 + flow.icmp_code!,
    protocol: flow.proto,
    tos: flow.src_tos,
    tcpFlags: flagsOf(flow.tcp_flags),
    input: flow.input_snmp,
    output: flow.output_snmp,
    packets: flow.in_packets,
    octets: flow.in_bytes,
    firstMs: Date.parse(`${flow.first}Z`),
    lastMs: Date.parse(`${flow.last}Z`),
  }))
}

describe('flows of the NetFlow capture', { skip: NO_ENGINE }, () => {
  const folder = temporary()
  let ours: Flow[] = []

  before(async () => {
    // Without an identity, so that nothing is corrected.
    const data = join(folder, 'data')
    const { code, stdout, stderr } = await ovsight(['replay', '--data', data, FILE])
    assert.equal(code, 0, stderr)
    // nfdump calls it 10 sequence errors; nothing is missing in the capture.
    assert.doesNotMatch(stdout, /^lost/m)
    ours = (await answer<OurRow>(['flows', '--data', data, '-n', '1000'])).map(toOurs)
    assert.equal(ours.length, 41)
  })

  it('are those that tshark sees', { skip: missing('tshark') }, () => {
    assert.deepEqual(sorted(ours), sorted(byTshark()))
  })

  it('are those that nfdump keeps', { skip: missing('tshark') || missing('nfcapd') || missing('nfdump') }, async () => {
    const theirs = await byNfdump(temporary())
    assert.deepEqual(sorted(ours), sorted(theirs))
  })
})
