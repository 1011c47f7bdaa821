/** Faults of messages, and what other decoders fell over: each row of the table of published vulnerabilities that concerns templates. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MAX_ROWS_PER_DATAGRAM } from '../../src/decode/decoder.ts'
import {
  Bench,
  ipfix,
  netflow9,
  optionsTemplate,
  optionsTemplate9,
  set,
  template,
  u16,
  u32,
  u8,
  variable,
  WAYS,
  type FieldSpec,
} from './ipfix-build.ts'

const PACKETS: readonly FieldSpec[] = [[2, 4]]
const LEARN = set(2, template(256, PACKETS))

for (const { way, limits } of WAYS) {
  describe(`faults of a message, ${way}`, () => {
    it('keeps what comes before a set whose length is below its header or beyond the message', () => {
      for (const length of [0, 1, 2, 3, 5000, 65_535]) {
        const bench = new Bench({ limits })
        const status = bench.decode(
          ipfix([LEARN, set(256, u32(1)), [...u16(256), ...u16(length), ...u32(2)], set(256, u32(3))]),
        )
        assert.equal(status, 'bad_length')
        assert.deepEqual(
          bench.rows().map(({ packets }) => packets),
          [1],
        )
      }
    })

    it('keeps the records around a set without template, a refused template and a mismatch', () => {
      const bench = new Bench({ limits })
      const status = bench.decode(
        ipfix([
          LEARN,
          set(256, u32(1)),
          set(999, u32(0)),
          set(2, template(257, [[2, 0]])),
          set(256, u32(2)),
          set(256, u8(1)),
        ]),
      )
      assert.equal(status, 'template_missing')
      assert.deepEqual(
        bench.rows().map(({ packets }) => packets),
        [1, 2],
      )
    })

    it('takes padding of up to three bytes, and what is shorter than a record from others than OVS', () => {
      const bench = new Bench({ limits })
      assert.equal(bench.decode(ipfix([LEARN, set(256, u32(1), [0, 0, 0])])), 'ok')
      bench.decode(
        ipfix([
          set(
            2,
            template(257, [
              [2, 8],
              [1, 8],
            ]),
          ),
        ]),
      )
      assert.equal(bench.decode(ipfix([set(257, Array<number>(16).fill(1), Array<number>(15).fill(0))])), 'ok')
      assert.equal(bench.decode(ipfix([set(257, Array<number>(15).fill(0))])), 'template_mismatch')
      assert.equal(bench.decode(ipfix([set(257)])), 'ok_no_rows')
      assert.equal(bench.out.rows, 2)
    })

    it('keeps the whole records of a set that the datagram cuts', () => {
      const bench = new Bench({ limits })
      bench.decode(
        ipfix([
          LEARN,
          set(
            2,
            template(257, [
              [82, 0xffff],
              [2, 4],
            ]),
          ),
        ]),
      )
      const fixed = ipfix([set(256, u32(1), u32(2), u32(3))])
      assert.equal(bench.decode(fixed.subarray(0, fixed.length - 2)), 'truncated')
      const ragged = ipfix([set(257, variable([65]), u32(4), variable([66]), u32(5))])
      assert.equal(bench.decode(ragged.subarray(0, ragged.length - 1)), 'truncated')
      assert.deepEqual(
        bench.rows().map(({ packets }) => packets),
        [1, 2, 4],
      )
      // A cut between two sets is one too; a datagram that goes on after the message is wrong as well.
      const two = ipfix([set(256, u32(6)), set(256, u32(7))])
      assert.equal(bench.decode(two.subarray(0, 24)), 'truncated')
      assert.equal(bench.decode(Uint8Array.from([...two, 1, 2, 3])), 'bad_length')
      assert.equal(bench.out.rows, 6)
    })

    it('decodes all messages of a datagram that has several', () => {
      const told: number[] = []
      const bench = new Bench({ limits }, { sequence: (...args) => void told.push(args[3], args[4]) })
      const messages = [ipfix([LEARN], 0, 5), ipfix([set(256, u32(1))], 0, 5), ipfix([set(256, u32(2), u32(3))], 0, 6)]
      assert.equal(bench.decode(Uint8Array.from(messages.flatMap((message) => [...message]))), 'ok')
      assert.deepEqual(told, [5, 0, 5, 1, 6, 2])
    })

    it('stops at the bound on rows', () => {
      const bench = new Bench({ limits }, {}, 8192)
      const status = bench.decode(
        ipfix([set(2, template(256, [[4, 1]])), set(256, Array<number>(60_000).fill(6)), set(256, u8(7))]),
      )
      assert.equal(status, 'too_many_records')
      assert.equal(bench.out.rows, MAX_ROWS_PER_DATAGRAM)
    })

    it('takes zeros after the last set of NetFlow v9, and nothing else', () => {
      const bench = new Bench({ limits })
      const sets = [set(0, template(256, PACKETS)), set(256, u32(1))]
      assert.equal(bench.decode(netflow9([...sets, Array<number>(900).fill(0)])), 'ok')
      assert.equal(bench.decode(netflow9([...sets, [0, 0, 0, 0, 1, 0]])), 'bad_length')
      assert.equal(bench.out.rows, 2)
    })

    it('is not confused by headers', () => {
      const bench = new Bench({ limits })
      assert.equal(bench.decode(Uint8Array.of(0)), 'short_header')
      assert.equal(bench.decode(ipfix([]).subarray(0, 15)), 'short_header')
      assert.equal(bench.decode(netflow9([]).subarray(0, 19)), 'short_header')
      assert.equal(bench.decode(Uint8Array.of(0, 8, 0, 16, ...Array<number>(12).fill(0))), 'bad_version')
      assert.equal(bench.decode(Uint8Array.of(0, 10, 0, 15, ...Array<number>(12).fill(0))), 'bad_length')
      assert.equal(bench.decode(ipfix([])), 'ok_no_rows')
      assert.equal(bench.decode(ipfix([set(255, u32(1)), set(4), set(0), set(1)])), 'ok_no_rows')
    })
  })

  describe(`published faults of template decoders, ${way}`, () => {
    it('CVE-2019-14459, a withdrawal: ignored over UDP, of any id, also of set ids', () => {
      const bench = new Bench({ limits })
      bench.decode(ipfix([LEARN]))
      const withdrawals = [256, 2, 3, 999, 65_535].map((id) => [...u16(id), ...u16(0)])
      for (const setId of [2, 3]) bench.decode(ipfix([set(setId, ...withdrawals)]))
      bench.decode(ipfix([set(2, [...u16(256), ...u16(0), ...u16(7)])]))
      bench.decode(netflow9([set(0, [...u16(256), ...u16(0)])]))
      assert.equal(bench.decode(ipfix([set(256, u32(1))])), 'ok')
      assert.ok(bench.decoder.counters.withdrawals >= 8)
    })

    it('nfdump 1cf56662, a template replaced by one of another kind while records refer to it', () => {
      const bench = new Bench({ limits })
      const status = bench.decode(
        ipfix([
          LEARN,
          set(256, u32(1)),
          set(
            3,
            optionsTemplate(256, 1, [
              [149, 4],
              [34, 4],
            ]),
          ),
          set(256, u32(0), u32(10)),
          set(2, template(256, [[1, 8]])),
          set(256, [0, 0, 0, 0, 0, 0, 0, 9]),
          set(2, [...u16(256), ...u16(0)]),
          set(256, [0, 0, 0, 0, 0, 0, 0, 8]),
        ]),
      )
      assert.equal(status, 'ok')
      assert.deepEqual(
        bench.rows().map(({ packets, bytes }) => packets ?? bytes),
        [1, 90, 80],
      )
    })

    it('nfdump 66af6496, sums of lengths that wrap 16 bits', () => {
      for (const [fields, refused] of [
        [
          [
            [1, 65_534],
            [2, 2],
          ],
          true,
        ],
        [
          [
            [1, 65_000],
            [2, 536],
          ],
          true,
        ],
        [Array<FieldSpec>(512).fill([1, 128]), true],
        [
          [
            [1, 65_520],
            [2, 11],
          ],
          false,
        ],
      ] as const) {
        const bench = new Bench({ limits })
        const status = bench.decode(ipfix([set(2, template(256, fields)), set(256, Array<number>(512).fill(1))]))
        assert.equal(status, refused ? 'template_invalid' : 'template_mismatch')
        assert.equal(bench.out.rows, 0)
      }
      const bench = new Bench({ limits })
      const options = (scope: number, rest: number) => [...u16(256), ...u16(scope), ...u16(rest), ...u32(0x10004)]
      for (const [scope, rest] of [
        [65_532, 4],
        [4, 65_532],
        [65_532, 65_532],
        [3, 4],
        [4, 5],
        [0, 4],
        [8, 0],
      ] as const)
        assert.equal(bench.decode(netflow9([set(1, options(scope, rest))])), 'template_invalid', `${scope}+${rest}`)
    })

    it('nfdump d5e8887d, records and fields without length: refused, so that every step consumes', () => {
      for (const fields of [
        [[1, 0]],
        [
          [1, 0],
          [2, 0],
          [8, 0],
        ],
        Array<FieldSpec>(100).fill([2, 0]),
      ] as const) {
        const bench = new Bench({ limits })
        assert.equal(
          bench.decode(ipfix([set(2, template(256, fields)), set(256, Array<number>(1000).fill(0))])),
          'template_invalid',
        )
        assert.equal(
          bench.decode(netflow9([set(0, template(256, fields)), set(256, Array<number>(1000).fill(0))])),
          'template_invalid',
        )
        assert.equal(bench.out.rows, 0)
      }
      const bench = new Bench({ limits })
      bench.decode(
        ipfix([
          set(
            2,
            template(256, [
              [1, 0],
              [2, 4],
            ]),
          ),
          set(256, u32(3)),
        ]),
      )
      assert.deepEqual(
        bench.rows().map(({ packets }) => packets),
        [3],
      )
    })

    it('pmacct #934 and #100, lengths of fields and variable lengths past the set', () => {
      for (const length of [1, 2, 100, 254, [255, 0, 200], [255, 255, 255], [255, 0], [255]].map((entry) =>
        [entry].flat(),
      )) {
        const bench = new Bench({ limits })
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
        const status = bench.decode(ipfix([set(256, length, u32(1)), LEARN]))
        assert.equal(status, 'template_mismatch', length.join(' '))
        assert.equal(bench.out.rows, 0)
      }
      for (const length of [50, 128, 65_000]) {
        const bench = new Bench({ limits })
        bench.decode(
          ipfix([
            set(
              2,
              template(256, [
                [8, length],
                [2, 4],
              ]),
            ),
          ]),
        )
        bench.decode(ipfix([set(256, Array<number>(length).fill(1), u32(5))]))
        assert.deepEqual(
          bench.rows().map(({ packets, src_addr }) => [packets, src_addr]),
          [[5, undefined]],
        )
      }
    })

    it('goflow GHSA-9rpw-2h95-666c, counts of all ones: no memory beyond the datagram', () => {
      const bench = new Bench({ limits })
      const before = process.memoryUsage().heapUsed
      for (let i = 0; i < 1000; i++) {
        assert.equal(bench.decode(ipfix([set(2, [...u16(256), 255, 255, ...u32(0x20004)])])), 'template_invalid')
        assert.equal(
          bench.decode(ipfix([set(3, [...u16(256), 255, 255, 255, 255, ...u32(0x20004)])])),
          'template_invalid',
        )
      }
      assert.ok(process.memoryUsage().heapUsed - before < 64 * 2 ** 20)
      assert.equal(bench.decoder.templates.size, 0)
    })

    it('FastNetMon, options whose scope is larger than their fields or their set', () => {
      const bench = new Bench({ limits })
      for (const scopes of [0, 3, 65_535])
        assert.equal(
          bench.decode(
            ipfix([
              set(
                3,
                optionsTemplate(257, scopes, [
                  [149, 4],
                  [34, 4],
                ]),
              ),
            ]),
          ),
          'template_invalid',
        )
      bench.decode(netflow9([set(1, optionsTemplate9(257, [[1, 4]], [[34, 4]]))]))
      assert.equal(bench.decode(netflow9([set(257, u32(1))])), 'ok_no_rows')
      assert.equal(bench.decode(netflow9([set(257, u32(1), u16(1))])), 'ok_no_rows')
    })

    it('refuses templates with more fields than the bound, and reads those after them', () => {
      const bench = new Bench({ limits })
      const many = template(300, Array<FieldSpec>(513).fill([2, 1]))
      assert.equal(bench.decode(ipfix([set(2, many, template(256, PACKETS)), set(256, u32(1))])), 'template_invalid')
      assert.equal(bench.out.rows, 1)
      assert.equal(bench.decoder.counters.refused, 1)
    })

    it('floods of templates: state stays within its bounds', () => {
      const bench = new Bench({
        limits: { ...limits, maxTemplates: 500, maxTemplatesPerExporter: 100, maxLayouts: 50 },
      })
      for (let i = 0; i < 3000; i++) {
        const fields: FieldSpec[] = [
          [1 + (i % 100), 1 + (i % 7)],
          [2, 4],
        ]
        bench.decode(
          ipfix([set(2, template(256 + (i % 1000), fields)), set(256 + (i % 1000), Array<number>(64).fill(1))], i),
          { id: i % 20 },
        )
        bench.out.reset()
      }
      const { templates, programs } = bench.decoder
      assert.ok(templates.size <= 500 && templates.layouts.size <= 50)
      assert.ok(programs.size <= 50 * 2)
    })
  })
}
