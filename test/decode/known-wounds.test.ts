/**
 * Faults published of other collectors and dissectors, each by the name it became known by: tested here, or by the test named here.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { NO_SINK, rowsBound, type Decoder } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { INTEROP, PCAPS, ROOT } from '../paths.ts'
import { readAll } from '../wire/captures.ts'
import { capturedDatagrams } from './captured.ts'
import {
  Bench,
  ipfix,
  netflow9,
  optionsTemplate,
  optionsTemplate9,
  set,
  template,
  text,
  u16,
  u32,
  u64,
  variable,
  type FieldSpec,
} from './ipfix-build.ts'
import { datagram, restIsZero } from './ipfix-feed.ts'

const PACKETS: readonly FieldSpec[] = [[2, 4]]
const LEARN = set(2, template(256, PACKETS))

/** [what became known, file in test/, words of the test's name] */
const ELSEWHERE: readonly (readonly [string, string, string])[] = [
  ['CVE-2022-2529 goflow, counts that allocate: sFlow', 'decode/sflow5-cve.test.ts', 'CVE-2022-2529'],
  ['GHSA-9rpw-2h95-666c goflow, counts that allocate: NetFlow', 'decode/ipfix-faults.test.ts', 'GHSA-9rpw-2h95-666c'],
  ['gopacket 1.6.1, communities and AS paths', 'decode/sflow5-cve.test.ts', 'gopacket 1.6.1'],
  ['pmacct #934, field lengths copied into a buffer', 'decode/ipfix-faults.test.ts', 'pmacct #934 and #100'],
  ['pmacct #100, variable lengths past the set', 'decode/ipfix-faults.test.ts', 'pmacct #934 and #100'],
  [
    'pmacct #923, refresh of an unchanged template',
    'decode/ipfix-templates.test.ts',
    'does not grow when the same template',
  ],
  ['nfdump 1cf56662 and 6ff5c60f, a template replaced in use', 'decode/ipfix-faults.test.ts', 'nfdump 1cf56662'],
  ['nfdump 66af6496, lengths that wrap 16 bits', 'decode/ipfix-faults.test.ts', 'nfdump 66af6496'],
  ['nfdump d5e8887d, steps that do not consume', 'decode/ipfix-faults.test.ts', 'nfdump d5e8887d'],
  ['nfdump fa1dd526 and d33adff3, sampled headers cut', 'decode/sflow5-cve.test.ts', 'cut at every byte from 0 to 128'],
  ['CVE-2019-14459 nfdump, withdrawals', 'decode/ipfix-faults.test.ts', 'CVE-2019-14459'],
  ['CVE-2019-1010057 nfdump, damaged files: pcapng', 'wire/pcapng.test.ts', 'any byte damaged'],
  ['CVE-2019-1010057 nfdump, damaged files: own state', 'decode/ipfix-saved.test.ts', 'cut anywhere'],
  ['GHSA-852r-3wcv-pjx2 FastNetMon, sFlow lengths', 'decode/sflow5-cve.test.ts', 'GHSA-852r-3wcv-pjx2'],
  ['CVE-2019-1010057 nfdump, damaged files: the spool', 'store/writer.test.ts', 'never stores bytes that were damaged'],
  ['nfdump 051340ed, tags and labels without end', 'decode/sflow5-cve.test.ts', 'tags and labels without end'],
  ['GHSA-c27c-943r-vr8h FastNetMon, IPv6 fragments', 'wounds.test.ts', 'GHSA-jmjw-392h-4g93'],
  ['FastNetMon: TLS unchecked, towards the store', 'store/failover.test.ts', 'believes the certificate authority'],
  ['FastNetMon: TLS unchecked, towards OVSDB', 'identity/ovsdb-live.test.ts', 'not trusted when another CA signed it'],
  ['CVE-2026-48684 FastNetMon, options scopes', 'decode/ipfix-faults.test.ts', 'options whose scope'],
  ['tcpdump sflow_print-segv', 'decode/sflow5-cve.test.ts', 'sflow_print-segv'],
  ['CVE-2026-48682 FastNetMon, IPv4 headers', 'decode/mirror-hostile.test.ts', 'GRE and ERSPAN of every kind'],
  ['GHSA-jmjw-392h-4g93 FastNetMon, IPv6 fragments', 'wounds.test.ts', 'GHSA-jmjw-392h-4g93'],
  ['FastNetMon: shells, and names in /tmp', 'wounds.test.ts', 'no shell is started'],
  ['CVE-2017-5473 ntopng, CSRF', 'wounds.test.ts', 'CVE-2017-5473'],
  ['FastNetMon: an API without authentication', 'api/access.test.ts', 'nobody without a token'],
]

/** One of each, which lives through all of it as in a collector. */
const DECODERS: readonly Decoder[] = [
  new Netflow5Decoder(NO_SINK),
  new IpfixDecoder(NO_SINK),
  new Sflow5Decoder(NO_SINK),
  new MirrorDecoder('gre'),
  new MirrorDecoder('vxlan'),
]

const out = new FlowBatch(rowsBound(65_535) + 64)
let survived = 0

/** Every decoder takes `bytes`: no more rows than they can hold, nothing behind the last (of every 64th, since that is a long look). */
function survive(bytes: Uint8Array): void {
  for (const decoder of DECODERS) {
    decoder.decode(datagram(bytes), out)
    assert.ok(out.rows <= rowsBound(bytes.length))
    if (survived++ % 64 === 0) assert.ok(restIsZero(out))
    out.reset()
  }
}

/** Messages of IPFIX one after another, as a file holds them (RFC 5655). */
function messagesOf(file: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at + 16 <= file.length; at += Math.max(16, file.readUInt16BE(at + 2)))
    messages.push(file.subarray(at, at + file.readUInt16BE(at + 2)))
  return messages
}

describe('wounds of others', () => {
  for (const [wound, file, name] of ELSEWHERE) {
    it(`${wound}: ${file}`, () => {
      const source = readFileSync(`${ROOT}test/${file}`, 'utf8')
      assert.ok(
        source.split('\n').some((line) => /\bit\(/.test(line) && line.includes(name)),
        `${file} has no test of ${name}`,
      )
    })
  }

  it('pmacct #815 and #100: a variable length of 255 whose two bytes reach past the set, at every place', () => {
    for (let length = 0; length <= 0xffff; length += 257)
      for (const before of [[], [0], variable(text('tap1'))]) {
        const bench = new Bench()
        bench.decode(
          ipfix([
            set(
              2,
              template(256, [
                [82, 0xffff],
                [83, 0xffff],
                [2, 4],
              ]),
            ),
          ]),
        )
        bench.decode(ipfix([set(256, before, [255, ...u16(length)], u32(1))]))
        assert.ok(bench.out.rows <= 2)
      }
  })

  it('nfdump 2022a246, c0bb6602: options tables by the thousand, and offsets of v9 options beyond their record', () => {
    const bench = new Bench()
    const entry: FieldSpec[] = [
      [95, 4],
      [96, 24],
      [94, 55],
    ]
    bench.decode(ipfix([set(3, optionsTemplate(300, 1, entry))]))
    const body = Array<number>(83 * 700).fill(0x41)
    assert.equal(bench.decode(ipfix([set(300, body)])), 'ok_no_rows')
    for (const [scope, length] of [
      [0, 4],
      [4, 0],
      [0xfffc, 4],
      [4, 0xfffc],
      [5, 4],
      [4, 6],
    ] as const)
      bench.decode(
        netflow9([set(1, [...u16(301), ...u16(scope), ...u16(length), ...u16(1), ...u16(4), ...u16(34), ...u16(4)])]),
      )
    bench.decode(netflow9([set(1, optionsTemplate9(302, [[1, 4]], [[34, 4]])), set(302, u32(1))]))
    assert.equal(bench.out.rows, 0)
  })

  it('nfdump d7444967, 4b23d6e4: arrays in options, and lists whose template nobody sent, are passed over', () => {
    const bench = new Bench()
    // applicationId, selectorName, VRF name: of no length, of one byte, of more than the record.
    const names: FieldSpec[] = [[95, 0xffff], [236, 0xffff]] // prettier-ignore
    bench.decode(ipfix([set(3, optionsTemplate(300, 1, names))]))
    for (const lengths of [
      [0, 0],
      [1, 255],
      [254, 0],
      [255, 255],
    ])
      // prettier-ignore
      bench.decode(ipfix([set(300, ...lengths.map((length) => [length, ...Array<number>(20).fill(7)]))]))
    // basicList 291, subTemplateList 292, subTemplateMultiList 293 (RFC 6313), of templates 999 and 0.
    for (const list of [291, 292, 293]) {
      bench.decode(ipfix([set(2, template(256, [[list, 0xffff], [2, 4]]))])) // prettier-ignore
      for (const body of [[], [3, ...u16(999)], [3, ...u16(999), ...u16(0)], [0, ...u16(0), ...u16(0xffff)]]) {
        const { rows } = bench.out
        assert.equal(bench.decode(ipfix([set(256, variable(body), u32(5))])), 'ok')
        assert.equal(bench.out.rows, rows + 1)
        assert.deepEqual(bench.rows().at(-1)!['packets'], 5)
      }
    }
  })

  it('CVE-2026-48689 FastNetMon: a buffer read one byte too far: what lies behind a datagram is nothing to it', async () => {
    const captures = ['netflow5', 'ipfix', 'sflow5'].map((kind) => `${PCAPS}${kind}/capture.pcap`)
    const all = (await Promise.all(captures.map((file) => capturedDatagrams(file, () => true)))).flat()
    const some = all.filter((_, i) => i % 97 === 0)
    const behind = (fill: number) => {
      const decoders = [new Netflow5Decoder(NO_SINK), new IpfixDecoder(NO_SINK), new Sflow5Decoder(NO_SINK)]
      const batch = new FlowBatch(rowsBound(65_535) + 64)
      const seen: [number, number, string][] = []
      for (const { bytes } of some)
        for (let length = 0; length <= bytes.length; length += 1 + (length >> 3)) {
          const arena = Buffer.alloc(length + 64, fill)
          arena.set(bytes.subarray(0, length))
          for (const decoder of decoders) {
            batch.reset()
            const whole = datagram(arena)
            const status = decoder.decode({ ...whole, end: whole.start + length }, batch)
            seen.push([status, batch.rows, batch.columns.bytes.slice(0, batch.rows * 2).join()])
          }
        }
      return seen
    }
    assert.deepEqual(behind(0xff), behind(0))
  })

  it('CVE-2026-48683 FastNetMon: v9 data sets of every length around a record', () => {
    for (let length = 0; length < 40; length++) {
      const bench = new Bench()
      bench.decode(
        netflow9([
          set(
            0,
            template(256, [
              [8, 4],
              [2, 4],
              [1, 8],
            ]),
          ),
        ]),
      )
      bench.decode(netflow9([set(256, Array<number>(length).fill(1))]))
      assert.equal(bench.out.rows, Math.floor(length / 16))
    }
  })

  it('GHSA-ff5f-p5jw-8fq2 FastNetMon: interface names of every length, also beyond any buffer', () => {
    for (const length of [0, 1, 15, 16, 17, 64, 65, 255, 256, 4000]) {
      const bench = new Bench()
      bench.decode(
        netflow9([
          set(
            0,
            template(256, [
              [82, length === 0 ? 1 : length],
              [2, 4],
            ]),
          ),
        ]),
      )
      bench.decode(netflow9([set(256, Array<number>(length === 0 ? 1 : length).fill(0x61), u32(5))]))
      const [row] = bench.rows()
      assert.equal(row!.packets, 5)
      assert.ok(String(row!.in_if_name).length <= 255)
    }
  })

  it('GHSA-ph88-95vc-x6gv FastNetMon: a template changed while its records are read: each set by the one before it', () => {
    for (const limits of [{}, { compileAfterRecords: 0, bindAfterDatagrams: 0 }]) {
      const bench = new Bench({ limits })
      const change = set(
        2,
        template(256, [
          [1, 8],
          [2, 4],
        ]),
      )
      for (let i = 0; i < 3; i++)
        bench.decode(ipfix([LEARN, set(256, u32(1)), change, set(256, u64(900), u32(2)), LEARN, set(256, u32(3))]))
      assert.deepEqual(
        bench.rows().map(({ packets }) => packets),
        [1, 2, 3, 1, 2, 3, 1, 2, 3],
      )
    }
  })

  it('softflowd, Sophos, Palo Alto: counts that do not fit, padding, zeros behind the last set, fields without length', () => {
    const sets = [set(0, template(256, PACKETS)), set(256, u32(7))]
    for (const count of [0, 1, 2, 30, 0xffff]) {
      const bench = new Bench()
      const bytes = netflow9(sets)
      bytes.set(u16(count), 2)
      bench.decode(bytes)
      assert.equal(bench.out.rows, 1)
    }
    for (let zeros = 0; zeros < 64; zeros++) {
      const bench = new Bench()
      bench.decode(Uint8Array.from([...netflow9(sets), ...Array<number>(zeros).fill(0)]))
      assert.equal(bench.out.rows, 1)
    }
    const bench = new Bench()
    bench.decode(
      ipfix([
        set(
          2,
          template(256, [
            [82, 0],
            [2, 4],
            [83, 0],
          ]),
        ),
        set(256, u32(7)),
      ]),
    )
    assert.equal(bench.rows()[0]!.packets, 7)
  })

  it('JavaScript: names that are keys of objects are names', () => {
    const bench = new Bench()
    bench.decode(
      ipfix([
        set(
          2,
          template(256, [
            [82, 0xffff],
            [2, 4],
          ]),
        ),
      ]),
    )
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '\u0000', '💥', 'a\u0000b']
    for (const name of names) bench.decode(ipfix([set(256, variable(text(name)), u32(1))]))
    assert.deepEqual(
      bench.rows().map((row) => row.in_if_name ?? ''),
      names.map((name) => (name === '\u0000' ? '' : name)),
    )
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })

  it('JavaScript: counts beyond 2^53 keep every bit', () => {
    const bench = new Bench()
    bench.decode(
      ipfix([
        set(
          2,
          template(256, [
            [2, 8],
            [1, 8],
          ]),
        ),
        set(256, [255, 255, 255, 255, 255, 255, 255, 254], u64(2 ** 53 - 1)),
      ]),
    )
    const { packets, bytes } = bench.out.columns
    assert.deepEqual([packets[0], packets[1], bytes[0], bytes[1]], [0xffff_fffe, 0xffff_ffff, 0xffff_ffff, 0x1f_ffff])
  })

  it('tcpdump gre-heapoverflow, mpls-label-heapoverflow, udp-length-heapoverflow and all other captures of others', async (test) => {
    if (!existsSync(INTEROP)) return test.skip('captures of other projects are not here')
    const files = readdirSync(INTEROP, { recursive: true, encoding: 'utf8' })
    const captures = files.filter((file) => /\.(pcap|pcapng|cap)$/.test(file))
    assert.ok(captures.length > 50)
    for (const file of captures)
      for (const { bytes } of await capturedDatagrams(INTEROP + file, () => true)) survive(bytes)
    const payloads = files.filter((file) => /\.(dat|bin)$/.test(file))
    assert.ok(payloads.length > 50)
    for (const file of payloads) survive(readFileSync(INTEROP + file))
    const messages = files.filter((file) => file.endsWith('.ipfix'))
    for (const file of messages) for (const bytes of messagesOf(readFileSync(INTEROP + file))) survive(bytes)
    assert.equal(captures.length + payloads.length + messages.length, files.filter((file) => /\.(?!md)\w+$/.test(file)).length) // prettier-ignore
  })

  it('CVE-2019-1010057 nfdump, damaged files: a pcap with any byte flipped ends, with no more than it holds', async () => {
    const sound = readFileSync(`${PCAPS}openvswitch/ovs-netflow5.pcap`).subarray(0, 1200)
    for (let at = 0; at < sound.length; at++) {
      const damaged = Uint8Array.from(sound)
      damaged[at]! ^= 0xff
      const reading = await readAll(damaged)
      assert.ok(reading !== undefined)
    }
  })
})
