import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { COPIES } from '../../src/decode/copies.ts'
import { ELEMENTS } from '../../src/decode/ipfix/elements.ts'
import type { Row } from './ipfix-feed.ts'
import {
  Bench,
  EXPORT_TIME,
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
  u8,
  UPTIME,
  variable,
  WAYS,
  type FieldSpec,
} from './ipfix-build.ts'

const iso = (ms: number) => new Date(ms).toISOString()

/** What every template of Open vSwitch has. */
const OVS: readonly FieldSpec[] = [
  [158, 4],
  [159, 4],
  [352, 8],
]

describe('the table of elements', () => {
  it('names copies that read the size of the element', () => {
    for (const { name, copy, max } of ELEMENTS) {
      assert.ok(max === undefined || (max >= COPIES[copy].min && max <= COPIES[copy].max), name)
    }
  })

  it('has no element twice for the same exporters', () => {
    const keys = ELEMENTS.map(({ id, pen, only }) => `${pen ?? 0}/${id}/${only ?? ''}`)
    assert.deepEqual(
      keys.filter((key, i) => keys.indexOf(key) !== i),
      [],
    )
  })
})

for (const { way, limits } of WAYS) {
  /** The row that one record of a template gives. */
  const decodeOne = (
    fields: readonly FieldSpec[],
    values: readonly (readonly number[])[],
    message: typeof ipfix = ipfix,
  ): Row => {
    const bench = new Bench({ limits })
    assert.equal(
      bench.decode(message([set(message === ipfix ? 2 : 0, template(256, fields)), set(256, ...values)])),
      'ok',
    )
    const [row] = bench.rows()
    return row!
  }

  describe(`elements, ${way}`, () => {
    it('reads integers by the length that the template declares, and skips lengths that cannot be', () => {
      const value = [1, 2, 3, 4, 5, 6, 7, 8]
      for (let length = 1; length <= 8; length++) {
        const expected = value.slice(0, length).reduce((sum, byte) => sum * 256 + byte, 0)
        const row = decodeOne(
          [
            [2, length],
            [4, 1],
          ],
          [value.slice(0, length), u8(6)],
        )
        assert.equal(row.packets, expected)
        assert.equal(row.ip_protocol, 6)
      }
      for (const [id, length] of [
        [8, 50],
        [12, 3],
        [27, 4],
        [4, 2],
        [7, 3],
        [2, 9],
        [56, 5],
        [152, 4],
        [158, 8],
      ] as const) {
        const row = decodeOne(
          [
            [id, length],
            [192, 1],
          ],
          [Array<number>(length).fill(9), u8(64)],
        )
        assert.deepEqual(
          Object.keys(row).sort(),
          ['export_protocol', 'flow_end', 'flow_start', 'ttl'],
          `${id}/${length}`,
        )
      }
    })

    it('takes start and end from the finest times of the template', () => {
      const at = EXPORT_TIME - 5000
      const ntp = (ms: number) => [...u32(Math.floor(ms / 1000) + 2_208_988_800), ...u32(0x8000_0000)]
      assert.equal(
        decodeOne(
          [
            [158, 4],
            [159, 4],
          ],
          [u32(5_000_001), u32(0)],
        ).flow_start,
        iso(at - 1),
      )
      assert.equal(
        decodeOne(
          [
            [158, 4],
            [159, 4],
          ],
          [u32(5_000_001), u32(0)],
        ).flow_end,
        iso(EXPORT_TIME),
      )
      assert.equal(
        decodeOne(
          [
            [150, 4],
            [152, 8],
          ],
          [u32(1), u64(at + 7)],
        ).flow_start,
        iso(at + 7),
      )
      assert.equal(
        decodeOne(
          [
            [156, 8],
            [152, 8],
          ],
          [ntp(at), u64(1)],
        ).flow_start,
        iso(at + 500),
      )
      assert.equal(decodeOne([[154, 8]], [ntp(at)]).flow_start, iso(at + 500))
      assert.equal(decodeOne([[151, 4]], [u32(at / 1000)]).flow_end, iso(at))
      assert.equal(
        decodeOne(
          [
            [323, 8],
            [4, 1],
          ],
          [u64(at), u8(1)],
        ).flow_end,
        iso(at),
      )
    })

    it('takes the time in the header where a record has none, or zero', () => {
      const header = { flow_start: iso(EXPORT_TIME), flow_end: iso(EXPORT_TIME) }
      for (const [id, length] of [
        [4, 1],
        [152, 8],
        [153, 8],
        [150, 4],
        [156, 8],
      ] as const) {
        const { flow_start, flow_end } = decodeOne(
          [
            [id, length],
            [192, 1],
          ],
          [Array<number>(length).fill(0), u8(1)],
        )
        assert.deepEqual({ flow_start, flow_end }, header)
      }
    })

    it('turns uptime stamps into wall time, also over the wrap of the uptime', () => {
      const fields: FieldSpec[] = [
        [22, 4],
        [21, 4],
      ]
      const row = decodeOne(fields, [u32(UPTIME - 60_000), u32(UPTIME - 1)], netflow9)
      assert.equal(row.flow_start, iso(EXPORT_TIME - 60_000))
      assert.equal(row.flow_end, iso(EXPORT_TIME - 1))
      assert.equal(
        decodeOne(fields, [u32(2 ** 32 - 1000), u32(5)], netflow9).flow_start,
        iso(EXPORT_TIME - UPTIME - 1000),
      )
      // A stamp a little later than the header is that, and not 49 days old.
      assert.equal(decodeOne(fields, [u32(0), u32(UPTIME + 20)], netflow9).flow_end, iso(EXPORT_TIME + 20))
    })

    it('counts uptime stamps of IPFIX from the record’s system init time', () => {
      const init = EXPORT_TIME - 1_000_000
      const row = decodeOne(
        [
          [22, 4],
          [21, 4],
          [160, 8],
        ],
        [u32(1000), u32(2000), u64(init)],
      )
      assert.equal(row.flow_start, iso(init + 1000))
      assert.equal(row.flow_end, iso(init + 2000))
      assert.equal(
        decodeOne(
          [
            [22, 4],
            [21, 4],
          ],
          [u32(1000), u32(2000)],
        ).flow_start,
        iso(EXPORT_TIME),
      )
    })

    it('gives the first name to the ingress interface and the second to the egress interface', () => {
      const fields: FieldSpec[] = [
        [10, 4],
        [82, 0xffff],
        [83, 0xffff],
        [14, 4],
        [82, 0xffff],
        [83, 0xffff],
      ]
      const names = ['tap1', 'ignored', 'tap2', 'ignored'].map((name) => variable(text(name)))
      const row = decodeOne(fields, [u32(1), names[0]!, names[1]!, u32(2), names[2]!, names[3]!])
      assert.equal(row.in_if_name, 'tap1')
      assert.equal(row.out_if_name, 'tap2')
      assert.equal(row.out_if, 2)
      assert.equal(row.output_kind, 'interface')
    })

    it('knows an egress interface without number by its name', () => {
      const fields: FieldSpec[] = [
        [82, 0xffff],
        [14, 4],
        [82, 0xffff],
      ]
      assert.equal(decodeOne(fields, [[0], u32(0), variable(text('p2'))]).output_kind, 'interface')
      assert.equal(decodeOne(fields, [[0], u32(0), [0]]).output_kind, undefined)
    })

    it('reads variable lengths of one and of three bytes', () => {
      for (const length of [0, 1, 254, 255, 256, 400]) {
        const long =
          length < 255 ? variable(text('n'.repeat(length))) : [255, ...u16(length), ...text('n'.repeat(length))]
        const row = decodeOne(
          [
            [82, 0xffff],
            [4, 1],
          ],
          [long, u8(6)],
        )
        assert.equal(row.in_if_name ?? '', 'n'.repeat(Math.min(length, 255)))
        assert.equal(row.ip_protocol, 6)
      }
      // RFC 7011 §7 allows the long form for short strings.
      assert.equal(decodeOne([[82, 0xffff]], [[255, 0, 3, ...text('abc')]]).in_if_name, 'abc')
    })

    it('reads the tunnel elements of VMware as OVS fills them', () => {
      const vmware = 6876
      const fields: FieldSpec[] = [
        [893, 4, vmware],
        [894, 4, vmware],
        [895, 1, vmware],
        [896, 2, vmware],
        [897, 2, vmware],
        [891, 1, vmware],
        [892, 0xffff, vmware],
        [898, 0xffff, vmware],
      ]
      const values = (type: number, key: number[]) => [
        [10, 0, 10, 14],
        [10, 0, 10, 23],
        u8(17),
        u16(50_000),
        u16(4789),
        u8(type),
        variable(key),
        variable(text('c0/br-int')),
      ]
      const row = decodeOne(fields, values(1, [0, 3, 242]))
      assert.equal(row.tunnel_src_addr, '10.0.10.14')
      assert.equal(row.tunnel_dst_addr, '10.0.10.23')
      assert.equal(row.tunnel_src_port, 50_000)
      assert.equal(row.tunnel_dst_port, 4789)
      assert.equal(row.tunnel_key, 1010)
      assert.equal(row.virtual_obs_id, 'c0/br-int')
      const types = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((type) => decodeOne(fields, values(type, [1])).tunnel_type)
      const unknown = 'unknown'
      assert.deepEqual(types, [unknown, 'vxlan', 'gre', 'lisp', 'stt', 'ipsec_gre', unknown, 'geneve', unknown])
      const keys = [[], [7], [1, 2], [1, 2, 3], [1, 2, 3, 4], [9, 1, 2, 3, 4], Array<number>(9).fill(1)]
      const decoded = keys.map((key) => decodeOne(fields, values(1, key)).tunnel_key ?? 0)
      assert.deepEqual(decoded, [0, 7, 0x102, 0x10203, 0x1020304, 0x1020304, 0])
    })

    it('takes totals for those of the flow except from OVS, whose totals are the exporter’s', () => {
      const totals: FieldSpec[] = [
        [86, 8],
        [85, 8],
      ]
      const values = [u64(7), u64(700)]
      const other = decodeOne(totals, values)
      assert.deepEqual([other.packets, other.bytes], [7, 700])
      const ovs = decodeOne([...OVS, ...totals], [u32(0), u32(0), u64(60), ...values])
      assert.deepEqual([ovs.packets, ovs.bytes, ovs.l2_bytes], [undefined, undefined, 60])
      const both = decodeOne([...totals, [2, 8], [1, 4]], [...values, u64(2 ** 40), u32(3)])
      assert.deepEqual([both.packets, both.bytes], [2 ** 40, 3])
    })

    it('keeps the sum of squares of OVS for attribution', () => {
      const row = decodeOne([...OVS, [198, 8]], [u32(0), u32(0), u64(60), u64(2 ** 40 + 5)])
      assert.equal(row.bytes_variance, 2 ** 40 + 5)
      assert.equal(
        decodeOne(
          [
            [198, 8],
            [4, 1],
          ],
          [u64(5), u8(6)],
        ).bytes_variance,
        undefined,
      )
    })

    it('tells directions, end reasons and the family', () => {
      const directions = [0, 1, 2, 255].map((value) => decodeOne([[61, 1]], [u8(value)]).flow_direction)
      assert.deepEqual(directions, ['ingress', 'egress', undefined, undefined])
      const reasons = [0, 1, 2, 5, 6, 255].map((value) => decodeOne([[136, 1]], [u8(value)]).flow_end_reason)
      assert.deepEqual(reasons, [
        undefined,
        'idle_timeout',
        'active_timeout',
        'lack_of_resources',
        undefined,
        undefined,
      ])
      const ipv6 = decodeOne(
        [
          [27, 16],
          [31, 4],
        ],
        [[0x20, 1, ...Array<number>(13).fill(0), 9], u32(0x12345)],
      )
      assert.deepEqual(
        [ipv6.src_addr, ipv6.ip_version, ipv6.ether_type, ipv6.flow_label],
        ['2001:0:0:0:0:0:0:9', 6, 0x86dd, 0x12345],
      )
      assert.equal(
        decodeOne(
          [
            [60, 1],
            [4, 1],
          ],
          [u8(6), u8(6)],
        ).ether_type,
        0x86dd,
      )
      assert.equal(
        decodeOne(
          [
            [256, 2],
            [8, 4],
          ],
          [u16(0x8847), u32(1)],
        ).ether_type,
        0x8847,
      )
    })

    it('takes the family that is set where a template has both', () => {
      const fields: FieldSpec[] = [
        [8, 4],
        [27, 16],
        [12, 4],
        [28, 16],
      ]
      const none = Array<number>(16).fill(0)
      const address = [0x20, 1, ...Array<number>(14).fill(0)]
      const v4 = decodeOne(fields, [[10, 0, 0, 1], none, [10, 0, 0, 2], none])
      assert.deepEqual([v4.src_addr, v4.dst_addr, v4.ip_version], ['10.0.0.1', '10.0.0.2', 4])
      const v6 = decodeOne(fields, [u32(0), address, u32(0), address])
      assert.deepEqual([v6.src_addr, v6.ip_version, v6.ether_type], ['2001:0:0:0:0:0:0:0', 6, 0x86dd])
    })

    it('puts ICMP type and code in their columns wherever they come from', () => {
      const expected = { icmp_type: 3, icmp_code: 1 }
      const rows = [
        decodeOne(
          [
            [4, 1],
            [176, 1],
            [177, 1],
          ],
          [u8(1), u8(3), u8(1)],
        ),
        decodeOne(
          [
            [4, 1],
            [32, 2],
          ],
          [u8(1), u16(0x301)],
        ),
        decodeOne(
          [
            [4, 1],
            [32, 2],
            [139, 2],
          ],
          [u8(58), u16(0), u16(0x301)],
        ),
        decodeOne(
          [
            [4, 1],
            [7, 2],
            [11, 2],
          ],
          [u8(1), u16(0), u16(0x301)],
        ),
        decodeOne(
          [
            [4, 1],
            [7, 2],
            [11, 2],
            [32, 2],
          ],
          [u8(1), u16(5), u16(9), u16(0x301)],
        ),
      ]
      for (const { icmp_type, icmp_code, src_l4_port, dst_l4_port } of rows) {
        assert.deepEqual({ icmp_type, icmp_code }, expected)
        assert.deepEqual([src_l4_port, dst_l4_port], [undefined, undefined])
      }
      assert.equal(
        decodeOne(
          [
            [4, 1],
            [7, 2],
            [11, 2],
          ],
          [u8(6), u16(0), u16(0x301)],
        ).dst_l4_port,
        0x301,
      )
    })

    it('reads the rest of the table', () => {
      const row = decodeOne(
        [
          [70, 3],
          [56, 6],
          [80, 6],
          [58, 2],
          [245, 2],
          [195, 1],
          [6, 2],
          [351, 8],
          [138, 8],
        ],
        [
          [0x12, 0x34, 0x51],
          [2, 0, 0, 0, 0, 1],
          [2, 0, 0, 0, 0, 2],
          u16(7),
          u16(8),
          u8(46),
          u16(0x112),
          [1, 0, 0, 0, 0, 0, 3, 242],
          u64(2 ** 32 + 9),
        ],
      )
      assert.equal(row.mpls_label, 0x12345)
      assert.equal(row.src_mac, '020000000001')
      assert.equal(row.dst_mac, '020000000002')
      assert.deepEqual([row.vlan, row.inner_vlan], [7, 8])
      assert.equal(row.tos, 46 << 2)
      assert.equal(row.tcp_flags, 0x112)
      assert.deepEqual([row.tunnel_type, row.tunnel_key], ['vxlan', 1010])
      assert.equal(row.observation_point, 9)
    })
  })

  describe(`sampling, ${way}`, () => {
    it('leaves the counts of OVS alone, whatever rate it may announce', () => {
      const bench = new Bench({ limits })
      bench.decode(
        ipfix([
          set(
            3,
            optionsTemplate(257, 1, [
              [149, 4],
              [34, 4],
            ]),
          ),
          set(257, u32(0), u32(400)),
          set(2, template(256, [...OVS, [2, 8]])),
          set(256, u32(0), u32(0), u64(60), u64(4)),
        ]),
      )
      const [row] = bench.rows()
      assert.deepEqual([row!.packets, row!.l2_bytes, row!.sampling_rate], [4, 60, undefined])
    })

    it('multiplies the counts of others by the rate of their options data', () => {
      const learned: number[][] = []
      const samplingRate = (_: unknown, ...rest: number[]) => void learned.push(rest)
      const bench = new Bench({ limits }, { samplingRate })
      const data = set(258, u64(3), u64(300), u32(7))
      bench.decode(
        ipfix(
          [
            set(
              2,
              template(258, [
                [2, 8],
                [1, 8],
                [302, 4],
              ]),
            ),
            data,
            set(
              3,
              optionsTemplate(257, 1, [
                [302, 4],
                [305, 4],
                [306, 4],
              ]),
            ),
            set(257, u32(7), u32(1), u32(999), u32(8), u32(10), u32(0)),
            data,
            set(258, u64(3), u64(300), u32(8)),
          ],
          5,
        ),
      )
      assert.deepEqual(learned, [
        [5, 7, 1000],
        [5, 8, 1],
      ])
      const counts = bench
        .rows()
        .map(({ packets, bytes, sampling_rate, samples }) => [packets, bytes, sampling_rate, samples])
      assert.deepEqual(counts, [
        [3, 300, undefined, undefined],
        [3000, 300_000, 1000, 3],
        [3, 300, 1, undefined],
      ])
    })

    it('takes the rate of the domain where a record names no sampler, while all of them agree', () => {
      const bench = new Bench({ limits })
      const options = (sampler: number, rate: number) =>
        netflow9([
          set(
            1,
            optionsTemplate9(
              257,
              [[1, 4]],
              [
                [48, 1],
                [50, 4],
              ],
            ),
          ),
          set(257, u32(0), u8(sampler), u32(rate)),
        ])
      const data = netflow9([set(0, template(256, [[2, 4]])), set(256, u32(2))])
      bench.decode(options(1, 10))
      bench.decode(data)
      bench.decode(options(2, 10))
      bench.decode(data)
      bench.decode(options(2, 20))
      bench.decode(data)
      assert.deepEqual(
        bench.rows().map(({ packets }) => packets),
        [20, 20, 2],
      )
    })

    it('takes the rate that a record itself gives', () => {
      const row = decodeOne(
        [
          [34, 4],
          [2, 4],
          [1, 4],
        ],
        [u32(100), u32(5), u32(50)],
      )
      assert.deepEqual([row.packets, row.bytes, row.sampling_rate, row.samples], [500, 5000, 100, 5])
    })
  })
}
