import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { before, describe, it } from 'node:test'
import { NO_SINK } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import type { ColumnName } from '../../src/schema/columns.ts'
import { HAS_INTEROP, INTEROP, PCAPS } from '../paths.ts'
import { datagram, readPayloads, rowsOf, type Payload, type Row } from './ipfix-feed.ts'
import { NO_TSHARK, readBySource, readWithTshark } from './ipfix-tshark.ts'

/** Rows of both ways of decoding, which must be the same. */
function decode(payloads: readonly Payload[]): Row[] {
  const [walked, compiled] = [Infinity, 0].map((compileAfterRecords) => {
    const limits = { compileAfterRecords, bindAfterDatagrams: 0 }
    const [ipfix, netflow5] = [new IpfixDecoder(NO_SINK, { limits }), new Netflow5Decoder(NO_SINK, limits)]
    const out = new FlowBatch(8192)
    for (const payload of payloads) {
      const decoder = payload.bytes[1] === 5 ? netflow5 : ipfix
      decoder.decode(datagram(payload.bytes, payload), out)
    }
    return rowsOf(out)
  })
  assert.deepEqual(compiled, walked, 'compiled and walked alike')
  return walked!
}

describe('NetFlow and IPFIX of Open vSwitch beside tshark', { skip: NO_TSHARK }, () => {
  for (const file of ['openvswitch/ovs-netflow5', 'openvswitch/ovs-netflow5-addid', 'netflow5/capture']) {
    it(`reads every record of ${file} as tshark does`, () => {
      const payloads = readPayloads(`${PCAPS}${file}.pcap`, 5)
      // Octets of OVS are layer 2.
      const theirs = readWithTshark(payloads).map(({ bytes, ...row }) => ({ ...row, l2_bytes: bytes }) as Row)
      assertSame(decode(payloads), theirs)
    })
  }

  for (const file of ['openvswitch/ovs-ipfix-bridge', 'openvswitch/ovs-ipfix-tunnel', 'ipfix/capture']) {
    it(`reads every record of ${file} as tshark does`, () => {
      const payloads = readPayloads(`${PCAPS}${file}.pcap`, 10)
      assertSame(decode(payloads), readWithTshark(payloads))
    })
  }
})

/** Messages of other exporters that belong together: one folder's files of one name, templates first. */
function familiesOf(folder: string): Map<string, Payload[]> {
  const families = new Map<string, Payload[]>()
  if (!existsSync(folder)) return families
  const isTemplate = (file: string) => /tpl|template/.test(file)
  const files = readdirSync(folder).sort((a, b) => Number(isTemplate(b)) - Number(isTemplate(a)) || (a < b ? -1 : 1))
  for (const file of files) {
    const name = file.replace(/[-_](opt)?(tpl|data|template|options)s?[^.]*/g, '').replace(/\.\w+$/, '')
    const payloads = file.endsWith('.dat')
      ? [{ timeMs: 0, source: '192.0.2.1', port: 2055, bytes: Uint8Array.from(readFileSync(folder + file)) }]
      : [5, 9, 10].flatMap((version) => readPayloads(folder + file, version))
    families.set(name, [...(families.get(name) ?? []), ...payloads])
  }
  return families
}

/** Where tshark reads less than there is, or means something else. */
const TSHARK_FAILS = new Map([
  ['netflow9_test_h3c', 'tshark reads one of the sixteen sets'],
  ['ipfix', 'tshark reads the first of two messages in a datagram'],
  ['netflow9_test_invalid01', 'tshark reads none of its records'],
  ['netflow9_test_nprobe', 'tshark shows the zero of another element for the start'],
  ['netflow5', 'octets of a record in which all is zero that OVS leaves zero are taken for layer 2'],
  ['netflow5_test_invalid01', 'tshark reads records without regard to the count'],
  ['netflow5_test_invalid02', 'tshark reads records without regard to the count'],
])

/** A row with the counts as they came. */
function unscaled(row: Row): Row {
  const rate = Number(row.sampling_rate ?? 1)
  if (rate <= 1) return row
  return { ...row, packets: row.samples ?? 0, bytes: Number(row.bytes ?? 0) / rate }
}

const skipped = HAS_INTEROP ? NO_TSHARK : 'captures of other projects are not here'

describe('NetFlow and IPFIX of others beside tshark', { skip: skipped }, () => {
  const families = ['logstash-codec-netflow/', 'akvorado/netflow/'].flatMap((folder) => [
    ...familiesOf(INTEROP + folder),
  ])
  // An exporter each, so that one run of tshark reads all of them.
  const exporters = families.map(([name, payloads], i): [string, Payload[]] => {
    return [name, payloads.map((payload) => ({ ...payload, source: `192.0.2.${i + 1}`, port: 2055 }))]
  })
  let theirs = new Map<string, Row[]>()
  before(() => void (theirs = readBySource(exporters.flatMap(([, payloads]) => payloads))))

  for (const [name, payloads] of exporters) {
    it(`reads every record of ${name} as tshark does`, { skip: TSHARK_FAILS.get(name) ?? false }, () => {
      assertSame(decode(payloads).map(unscaled), theirs.get(payloads[0]?.source ?? '') ?? [])
    })
  }
})

function assertSame(ours: readonly Row[], theirs: readonly Row[]): void {
  assert.equal(ours.length, theirs.length)
  for (const [i, row] of theirs.entries()) {
    for (const [name, value] of Object.entries(row) as [ColumnName, string | number | undefined][])
      if (value !== undefined) assert.equal(ours[i]![name] ?? emptyOf(value), value, `${name} of record ${i + 1}`)
  }
}

function emptyOf(value: string | number): string | number {
  return typeof value === 'number' ? 0 : ''
}
