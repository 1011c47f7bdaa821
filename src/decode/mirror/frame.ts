import type { BatchLayout, FlowBatch } from '../../schema/batch.ts'
import { columnFacts, type ColumnName } from '../../schema/columns.ts'
import { KINDS, type Kind } from '../../schema/kinds.ts'
import type { PacketColumns } from '../packet.ts'

/**
 * THE layout of one mirrored frame in memory, as offsets of columns in bytes. What the dissector writes lies where the key of the
 * flow has it, so nothing is packed or unpacked. Values are little-endian, like columns.
 */
const KEY = {
  exporter: 0,
  observation_point: 16,
  observation_domain: 20,
  src_mac: 24,
  dst_mac: 32,
  src_addr: 40,
  dst_addr: 56,
  mpls_label: 72,
  ether_type: 76,
  vlan: 78,
  inner_vlan: 80,
  src_l4_port: 82,
  dst_l4_port: 84,
  ip_protocol: 86,
  tos: 87,
  icmp_type: 88,
  icmp_code: 89,
  ip_fragment: 90,
  ip_version: 91,
  export_protocol: 92,
} as const satisfies Partial<Record<ColumnName, number>>

/** What differs from frame to frame of a flow; not part of the key. */
const REST = { flow_label: 96, tcp_flags: 100, ttl: 102 } as const satisfies Partial<Record<ColumnName, number>>

const KEY_NAMES = Object.keys(KEY) as (keyof typeof KEY)[]
/** 32-bit words of a key. */
export const KEY_WORDS = 24
const FRAME_WORDS = 26
const WORD = {
  exporter: KEY.exporter / 4,
  point: KEY.observation_point / 4,
  domain: KEY.observation_domain / 4,
  exportProtocol: KEY.export_protocol / 4,
  firstOfPacket: KEY.src_mac / 4,
}

/** One mirrored frame: the key of its flow, and what it adds to the flow. One object for all frames. */
export class MirroredFrame {
  /** The first KEY_WORDS words are the key. */
  readonly words = new Uint32Array(FRAME_WORDS)
  /** One row of columns for the dissector, in `words`. */
  readonly columns: PacketColumns = { ...this.views(KEY), ...this.views(REST) } as unknown as PacketColumns
  /** Milliseconds since 1970. */
  atMs = 0
  bytes = 0
  l2Bytes = 0
  tos = 0
  /** Bits of CORRECTIONS. */
  corrections = 0
  /** TCP sequence number, and how much sequence space the segment takes: payload, SYN, FIN. -1 where that is not known. */
  tcpSequence = 0
  tcpLength = -1

  /** Zeroes what the dissector may have written. */
  clear(): void {
    const { words } = this
    for (let i = WORD.firstOfPacket; i < FRAME_WORDS; i++) words[i] = 0
  }

  /** Which mirror the frame came from. `exporter` is four lanes. */
  from(exporter: Uint32Array, point: number, domain: number, exportProtocol: number): void {
    const { words } = this
    words[WORD.exporter] = exporter[0]!
    words[WORD.exporter + 1] = exporter[1]!
    words[WORD.exporter + 2] = exporter[2]!
    words[WORD.exporter + 3] = exporter[3]!
    words[WORD.point] = point
    words[WORD.domain] = domain
    words[WORD.exportProtocol] = exportProtocol
  }

  private views(layout: Partial<Record<ColumnName, number>>): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(layout).map(([name, offset]) => {
        const { array, lanes } = kindOf(name as ColumnName)
        return [name, new array(this.words.buffer, offset, lanes)]
      }),
    )
  }
}

/**
 * Copies keys into rows, size by size through the whole-buffer views of a batch. Measured: 0.3 to 0.4 µs for
 * a row of the cache, 0.8 to 2 µs through the twenty typed arrays of the columns.
 */
export class KeyWriter {
  private readonly keys8: Uint8Array
  private readonly keys16: Uint16Array
  private readonly keys32: Uint32Array
  private layout: BatchLayout | undefined = undefined
  private moves8 = new Int32Array(0)
  private moves16 = new Int32Array(0)
  private moves32 = new Int32Array(0)

  /** `keys` holds keys of KEY_WORDS words one behind another. */
  constructor(keys: Uint32Array<ArrayBuffer>) {
    this.keys8 = new Uint8Array(keys.buffer)
    this.keys16 = new Uint16Array(keys.buffer)
    this.keys32 = keys
  }

  /** Key number `index` into row `row`. */
  write(index: number, out: FlowBatch, row: number): void {
    const { memory } = out
    if (memory.layout !== this.layout) this.bind(memory.layout)
    const { moves8, moves16, moves32 } = this
    const at = out.base + row
    for (let i = 0; i < moves32.length; i += 3) {
      memory.u32[moves32[i + 1]! + at * moves32[i + 2]!] = this.keys32[index * KEY_WORDS + moves32[i]!]!
    }
    for (let i = 0; i < moves16.length; i += 3) {
      memory.u16[moves16[i + 1]! + at * moves16[i + 2]!] = this.keys16[index * KEY_WORDS * 2 + moves16[i]!]!
    }
    for (let i = 0; i < moves8.length; i += 3) {
      memory.u8[moves8[i + 1]! + at * moves8[i + 2]!] = this.keys8[index * KEY_WORDS * 4 + moves8[i]!]!
    }
  }

  private bind(layout: BatchLayout): void {
    this.layout = layout
    this.moves8 = moves(layout, 1)
    this.moves16 = moves(layout, 2)
    this.moves32 = moves(layout, 4)
  }
}

/** For each element of `size` bytes in a key: its place in the key, that of row 0 in the memory, and elements a row. */
function moves(layout: BatchLayout, size: number): Int32Array<ArrayBuffer> {
  return Int32Array.from(
    KEY_NAMES.flatMap((name) => {
      const { array, lanes } = kindOf(name)
      if (array.BYTES_PER_ELEMENT !== size) return []
      return Array.from({ length: lanes }, (_, lane) => [
        KEY[name] / size + lane,
        layout.first[name] + lane,
        lanes,
      ]).flat()
    }),
  )
}

function kindOf(name: ColumnName): (typeof KINDS)[Kind] {
  return KINDS[columnFacts(name).kind]
}
