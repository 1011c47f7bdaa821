/** THE table of what is fuzzed: where inputs come from, and what must hold for each. A `run` that throws has found something. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { NO_SINK, rowsBound, type Datagram, type Decoder } from '../../src/decode/decoder.ts'
import { IpfixDecoder } from '../../src/decode/ipfix/decoder.ts'
import { MirrorDecoder } from '../../src/decode/mirror/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { Sflow5Decoder } from '../../src/decode/sflow5/decoder.ts'
import { DECODE_STATUS_NAMES } from '../../src/decode/status.ts'
import { AppError } from '../../src/errors.ts'
import { JsonSplitter } from '../../src/identity/sources/ovsdb/splitter.ts'
import { compileFilter } from '../../src/query/filter/compile.ts'
import { parseFilter } from '../../src/query/filter/parse.ts'
import { printFilter } from '../../src/query/filter/print.ts'
import { Params } from '../../src/query/plan.ts'
import { FlowBatch } from '../../src/schema/batch.ts'
import { COLUMN_NAMES } from '../../src/schema/columns.ts'
import { NativeEncoder } from '../../src/schema/native.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { TRANSPORT, Transport } from '../../src/wire/transport.ts'
import { PCAPS } from '../paths.ts'
import { capturedDatagrams } from '../decode/captured.ts'
import { corpusOf } from './corpus.ts'
import { readNative } from './native-reader.ts'

export interface Target {
  readonly name: string
  seeds(): Promise<readonly Uint8Array[]>
  /** Makes something that takes inputs one after another, keeping its state. */
  open(): (bytes: Uint8Array) => void | Promise<void>
  /** Puts the outer length right. */
  readonly repair?: (bytes: Buffer) => void
}

const ROWS = 4200
const CHECK_EVERY = 512
const FRESH_EVERY = 256
const AROUND = 16
const LONGEST = 65_535

const word = (bytes: Uint8Array, at: number) => (bytes[at]! << 8) | bytes[at + 1]!

const captured = (() => {
  let all: Promise<Uint8Array[]> | undefined
  return () =>
    (all ??= Promise.all(
      readdirSync(PCAPS, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.pcap'))
        .sort()
        .map((file) => capturedDatagrams(PCAPS + file, () => true)),
    ).then((files) => files.flatMap((one) => one.map(({ bytes }) => bytes)).filter(({ length }) => length >= 4)))
})()

/** A decoder with one arena, as behind a socket: what lies around a datagram is not its own. */
function decoding(make: () => Decoder): (bytes: Uint8Array) => void {
  const decoder = make()
  const out = new FlowBatch(ROWS)
  const bytes = new Uint8Array(AROUND + LONGEST + AROUND).fill(0xff)
  const datagram: Datagram = {
    bytes,
    view: new DataView(bytes.buffer),
    start: AROUND,
    end: AROUND,
    receivedMs: 1_763_800_000_000,
    exporter: Uint32Array.of(0, 0, 0xffff_0000, 0x0100_000a),
    exporterPort: 40_000,
    exporterId: 1,
  }
  const zeros = Buffer.alloc(out.memory.u8.length)
  let runs = 0
  return (input) => {
    bytes.set(input, AROUND)
    datagram.end = AROUND + input.length
    datagram.receivedMs++
    const bound = rowsBound(input.length)
    if (out.free < bound) out.reset()
    const before = out.rows
    const status = decoder.decode(datagram, out)
    bytes.fill(0xff, AROUND, datagram.end)
    assert.ok(DECODE_STATUS_NAMES[status] !== undefined, `status ${status}`)
    assert.ok(out.rows >= before && out.rows - before <= bound, `${out.rows - before} rows`)
    if (decoder instanceof IpfixDecoder && runs % 256 === 0) {
      if (out.free < decoder.needs) out.reset()
      decoder.expire(datagram.receivedMs, out)
    }
    if (++runs % CHECK_EVERY === 0) {
      out.reset()
      assert.ok(zeros.equals(out.memory.u8), 'rows past the last are zero')
    }
  }
}

const LATE = { maxBytes: 1 << 20, maxBytesPerExporter: 1 << 20, maxAgeMs: 50_000 }
const ipfixDecoder = () =>
  new IpfixDecoder(NO_SINK, { late: LATE, limits: { maxTemplates: 4096, maxLayouts: 256, maxPrograms: 64 } })
const behindVxlan = (gre: Uint8Array) => Uint8Array.of(8, 0, 0, 0, 0, 3, 0xf2, 0, ...gre.subarray(24))
const isMirror = (bytes: Uint8Array) => bytes[0]! >> 4 === 4 && bytes[9] === 47

function decoderTarget(
  name: string,
  make: () => Decoder,
  owns: (bytes: Uint8Array) => boolean,
  repair?: Target['repair'],
): Target {
  return {
    name,
    seeds: async () => [...(await captured()).filter(owns), ...corpusOf(name)],
    open: () => decoding(make),
    ...(repair === undefined ? {} : { repair }),
  }
}

const FILTERS = [
  'src project red and dst port in [80, 443] or not vlan = 5',
  'src and dst network like "blue-%" && bytes >= 1.5M',
  'src ip 10.0.0.0/8 or dst ip in [2001:db8::/32, 192.168.10.8] and proto tcp and flags S/SA',
  '((mac fa:16:3e:21:cf:75)) or (server "a \\"b\\" c" and duration < 5s)',
  'ether_type != 0x0800 and tunnel_key not in [1 2 3] and role = sent',
]

const JSONS = [
  '{"method":"update3","params":["m","00000000-0000-0000-0000-000000000000",{"Interface":{"a":{"insert":{"name":"tap1","ofport":["set",[]]}}}}],"id":null}',
  '{"id":1,"error":null,"result":[{"rows":[{"external_ids":["map",[["iface-id","x"],["\\u00e9","ü\\\\"]]]}]}]} {"id":2}',
]

export const TARGETS: readonly Target[] = [
  decoderTarget(
    'netflow5',
    () => new Netflow5Decoder(NO_SINK),
    (bytes) => word(bytes, 0) === 5,
  ),
  decoderTarget(
    'ipfix',
    ipfixDecoder,
    (bytes) => word(bytes, 0) === 10,
    (bytes) => {
      if (bytes.length >= 4 && bytes[1] === 10) bytes.writeUInt16BE(bytes.length, 2)
      if (bytes.length >= 20 && bytes[1] === 10) bytes.writeUInt16BE(bytes.length - 16, 18)
    },
  ),
  // Open vSwitch does not send it: what there is of it is in the corpus.
  decoderTarget(
    'netflow9',
    ipfixDecoder,
    () => false,
    (bytes) => {
      if (bytes.length >= 24) bytes.writeUInt16BE(Math.min(bytes.length - 20, 0xffff), 22)
    },
  ),
  decoderTarget(
    'sflow5',
    () => new Sflow5Decoder(NO_SINK),
    (bytes) => word(bytes, 0) === 0 && word(bytes, 2) === 5,
  ),
  decoderTarget('gre', () => new MirrorDecoder('gre', { maxFlows: 4096 }), isMirror),
  {
    name: 'vxlan',
    seeds: async () => (await captured()).filter(isMirror).map(behindVxlan),
    open: () => decoding(() => new MirrorDecoder('vxlan', { maxFlows: 4096 })),
  },
  {
    name: 'pcap',
    seeds: () =>
      Promise.resolve(
        ['openvswitch/ovs-netflow5', 'openvswitch/ovs-sflow', 'gre-mirror/capture'].map((name) =>
          Uint8Array.from(readFileSync(`${PCAPS}${name}.pcap`).subarray(0, 6000)),
        ),
      ),
    open:
      (transport = new Transport()) =>
      async (bytes) => {
        let read = 0
        try {
          for await (const packet of readCapture(pieces(bytes))) {
            read += packet.end - packet.start
            const kind = transport.find(packet)
            if (kind === TRANSPORT.udp) assert.ok(transport.end >= transport.start)
          }
        } catch (error) {
          if (!(error instanceof AppError)) throw error
        }
        assert.ok(read <= bytes.length, `${read} bytes of packets from ${bytes.length}`)
      },
  },
  {
    name: 'ovsdb',
    seeds: () => Promise.resolve(JSONS.map((text) => Uint8Array.from(Buffer.from(text)))),
    open: () => (bytes) => {
      const splitter = new JsonSplitter(1 << 20)
      try {
        const half = bytes.length >> 1
        const messages = [
          ...splitter.push(Buffer.from(bytes.subarray(0, half))),
          ...splitter.push(Buffer.from(bytes.subarray(half))),
        ]
        assert.ok(messages.length * 2 <= bytes.length)
      } catch (error) {
        // What the splitter promises of a stream that is none.
        if (!(error instanceof SyntaxError) && !/^not JSON-RPC|longer than|message/.test((error as Error).message))
          throw error
      }
    },
  },
  {
    name: 'filter',
    seeds: () => Promise.resolve(FILTERS.map((text) => Uint8Array.from(Buffer.from(text)))),
    open: () => (bytes) => {
      const text = Buffer.from(bytes).toString()
      try {
        const tree = parseFilter(text)
        if (tree === undefined) return
        compileFilter(tree, new Params())
        assert.deepEqual(parseFilter(printFilter(tree)), tree)
      } catch (error) {
        if (!(error instanceof AppError)) throw error
      }
    },
  },
  {
    name: 'native',
    seeds: async () => (await captured()).filter((bytes) => word(bytes, 0) === 10),
    open: () => {
      const encoder = new NativeEncoder()
      const columns = COLUMN_NAMES.filter((name) => !name.includes('variance'))
      let out = new FlowBatch(64)
      let runs = 0
      return (bytes) => {
        // Names pile up until their table is a new one.
        if (++runs % FRESH_EVERY === 0) out = new FlowBatch(64)
        else out.reset()
        // Each name of the input is a text of a row, its bytes are numbers of others.
        const rows = Math.min(60, bytes.length >> 3)
        for (let row = 0; row < rows; row++) {
          const code = out.strings.internBytes(bytes, row * 8, Math.min(bytes[row]! & 63, bytes.length - row * 8))
          out.columns.in_if_name[row] = code
          out.columns.src_project[row] = code
          for (let i = 0; i < 8; i++) {
            const column = out.columns[columns[bytes[row * 8 + i]! % columns.length]!]
            if (column instanceof Uint16Array) column[row] = word(bytes, row * 8 + (i & 6))
          }
          out.columns.bytes[row * 2] = bytes[row]! << 20
          out.columns.src_addr[row * 4 + 3] = bytes[row]! * 0x0101
        }
        out.rows = rows
        const block = encoder.encode([out])
        const read = readNative(block.bytes)
        assert.deepEqual([read.columns, read.rows], [block.columns, rows])
        block.release()
      }
    },
  },
]

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}
