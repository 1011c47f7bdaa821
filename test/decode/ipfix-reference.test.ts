/** Generated decoders beside the walk they must equal, on whole and on damaged messages; and what decoding leaves on the heap. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { NO_SINK, type Datagram, type Decoder } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { INTEROP, PCAPS } from '../paths.ts'
import { Bench, ipfix, netflow9, set, template, WAYS, type FieldSpec } from './ipfix-build.ts'
import { datagram, readPayloads, rowOf, type Payload } from './ipfix-feed.ts'

/** A decoder of every version with its own arena and batch. */
class Side {
  readonly out = new FlowBatch(8192)
  /** What the sink was told of sequences. */
  readonly told: unknown[][] = []
  private readonly decoders: readonly [Decoder, Decoder]
  private readonly datagram: Datagram = datagram(new Uint8Array(65_536))

  constructor(limits: (typeof WAYS)[number]['limits']) {
    const sink = { ...NO_SINK, sequence: (_: Datagram, ...rest: unknown[]) => void this.told.push(rest) }
    this.decoders = [new Netflow5Decoder(sink, limits), new IpfixDecoder(sink, { limits })]
  }

  decode(bytes: Uint8Array, from: Payload): number {
    const { datagram: reused, out } = this
    const { exporter, exporterPort, exporterId, receivedMs } = datagram(new Uint8Array(0), from)
    Object.assign(reused, { exporter, exporterPort, exporterId, receivedMs })
    reused.bytes.set(bytes, reused.start)
    reused.end = reused.start + bytes.length
    return this.decoders[bytes[1] === 5 ? 0 : 1].decode(reused, out)
  }
}

/** Feeds both ways and compares status, rows and what the sink is told, one datagram at a time. */
class Pair {
  private readonly sides = WAYS.map(({ limits }) => new Side(limits)) as [Side, Side]
  rows = 0

  feed(bytes: Uint8Array, from: Payload): void {
    const [walked, compiled] = this.sides
    const status = walked.decode(bytes, from)
    assert.equal(compiled.decode(bytes, from), status)
    assert.equal(compiled.out.rows, walked.out.rows)
    for (let row = 0; row < walked.out.rows; row++)
      assert.deepEqual(rowOf(compiled.out, row), rowOf(walked.out, row), Buffer.from(bytes).toString('hex'))
    assert.deepEqual(compiled.told.splice(0), walked.told.splice(0))
    this.rows += walked.out.rows
    for (const { out } of this.sides) out.reset()
  }
}

/** Numbers below 256, the same each run. */
function randomBytes(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  }
}

function captured(): Payload[] {
  const files = [
    'ipfix/capture',
    'netflow5/capture',
    ...['bridge', 'flow', 'tunnel'].map((kind) => `openvswitch/ovs-ipfix-${kind}`),
  ]
  const own = files.flatMap((file) => [5, 10].flatMap((version) => readPayloads(`${PCAPS}${file}.pcap`, version)))
  const folder = `${INTEROP}logstash-codec-netflow/`
  const others = existsSync(folder) ? readdirSync(folder).sort().reverse() : []
  return [
    ...own,
    ...others.map((file) => ({
      timeMs: 0,
      source: '192.0.2.9',
      port: 1,
      bytes: Uint8Array.from(readFileSync(folder + file)),
    })),
  ]
}

describe('generated decoders', () => {
  const payloads = captured()

  it('give the rows of the walk on every message', () => {
    const pair = new Pair()
    for (const payload of payloads) pair.feed(payload.bytes, payload)
    assert.ok(pair.rows > 200)
  })

  it('give the rows of the walk on damaged messages', () => {
    const pair = new Pair()
    const random = randomBytes(7)
    for (const payload of payloads) {
      pair.feed(payload.bytes, payload)
      for (let i = 0; i < 12; i++) {
        const bytes = payload.bytes.slice()
        for (let n = 0; n <= i % 3; n++) bytes[(random() * 256 + random()) % bytes.length] = random()
        const cut = i % 4 === 0 ? (random() * 256 + random()) % bytes.length : bytes.length
        // Versions stay, so that the decoder is the right one.
        bytes.set(payload.bytes.subarray(0, 2))
        if (cut >= 2) pair.feed(bytes.subarray(0, cut), payload)
      }
    }
    assert.ok(pair.rows > 500)
  })

  it('give the rows of the walk for templates of random elements and lengths', () => {
    const pair = new Pair()
    const random = randomBytes(11)
    const elements = [
      1, 2, 4, 5, 6, 7, 8, 10, 11, 12, 14, 21, 22, 27, 28, 32, 34, 48, 56, 58, 60, 61, 70, 80, 82, 85, 86, 136, 138,
      139, 150, 151, 152, 153, 154, 157, 158, 159, 160, 176, 177, 192, 195, 198, 243, 256, 302, 323, 351, 352,
    ]
    for (let i = 0; i < 600; i++) {
      const fields = Array.from({ length: 1 + (random() % 12) }, (): FieldSpec => {
        const id = elements[random() % elements.length]!
        if (random() < 24) return [890 + (random() % 9), random() < 128 ? 0xffff : 1 + (random() % 8), 6876]
        return [id, random() < 20 ? 0xffff : [1, 2, 3, 4, 6, 8, 16, random() % 20][random() % 8]!]
      })
      const values = Array.from({ length: random() % 120 }, () => (random() < 60 ? 0 : random() < 90 ? 255 : random()))
      const sets = [set(256 + (i % 3), values)]
      const build = i % 2 === 0 ? ipfix : netflow9
      const plain = build === ipfix ? fields : fields.map(([id, length]): FieldSpec => [id, length])
      const from = { timeMs: 1.7e12, source: '192.0.2.1', port: 1, bytes: new Uint8Array(0) }
      pair.feed(build([set(build === ipfix ? 2 : 0, template(256 + (i % 3), plain)), ...sets, ...sets], i % 5), from)
    }
    assert.ok(pair.rows > 500)
  })

  it('are made of numbers: what comes from the wire does not enter their source', () => {
    const sources: string[] = []
    const original = globalThis.Function
    const recorder = new Proxy(original, {
      construct(target, parameters: string[]) {
        sources.push(parameters.at(-1)!)
        return Reflect.construct(target, parameters) as () => unknown
      },
    })
    globalThis.Function = recorder
    try {
      const side = new Side(WAYS[1].limits)
      for (const payload of payloads) {
        side.decode(payload.bytes, payload)
        side.out.reset()
      }
    } finally {
      globalThis.Function = original
    }
    assert.ok(sources.length > 20)
    const words = new Set(sources.flatMap((source) => source.match(/[A-Za-z_]\w*|'[^']*'/g) ?? []))
    const known =
      /^('use strict'|return|function|const|let|for|if|else|break|records|Math|max|floor|imul|strings|internName|names|v|bytes|u8|u16|u32|f64|h|h\d+|row|p|end|limit|message|n|failed|seen|t|s|q|w\d|a|b|seconds|r2|r4|length|zero|true|get(Uint8|Uint16|Uint32|Int32))$/
    assert.deepEqual(
      [...words].filter((word) => !known.test(word)),
      [],
    )
  })
})

describe('decoding many records', () => {
  it('leaves less than two megabytes on the heap for a million of them', () => {
    const bench = new Bench({ limits: WAYS[1].limits }, {}, 8192)
    const learn = ipfix([
      set(
        2,
        template(256, [
          [8, 4],
          [12, 4],
          [82, 8],
          [2, 8],
          [152, 8],
        ]),
      ),
    ])
    const data = ipfix([set(256, Array<number>(32 * 40).fill(65))])
    const message = datagram(data, { id: 1 })
    bench.decoder.decode(datagram(learn, { id: 1 }), bench.out)
    const work = (messages: number) => {
      for (let i = 0; i < messages; i++) {
        if (bench.out.free < 400) bench.out.reset()
        bench.decoder.decode(message, bench.out)
      }
    }
    work(2000)
    const before = heap()
    work(25_000)
    const grown = heap() - before
    assert.ok(grown < 2 * 2 ** 20, `${grown} bytes`)
    assert.equal(bench.out.strings.size, 2)
  })
})

/** Bytes in use after collection, or, where node does not let us collect, the least of several looks. */
function heap(): number {
  const looks = Array.from({ length: 5 }, () => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  })
  return Math.min(...looks)
}
