/**
 * Counter samples, all u32:
 *
 *   compact   (0,2)  sequence | source: class 8 bits, index 24 | count | records
 *   expanded  (0,4)  sequence | source class | source index | count | records
 *
 * Records as in flow samples. Read are:
 *
 *   if_counters     1  ifIndex u32 | type u32 | speed u64 | direction u32 | status u32 | in: octets u64, unicast, multicast,
 *                      broadcast, discards, errors, unknown protocols u32 | out: octets u64, unicast, multicast, broadcast,
 *                      discards, errors u32 | promiscuous u32
 *   of_port      1004  datapath_id u64 | port u32
 *   port_name    1005  length u32 | that many bytes
 *   ovs_dp       2207  hits | misses | lost | mask hits | flows | masks, u32
 */
import type { Datagram, DecodeSink, InterfaceCounters } from '../decoder.ts'
import { StringTable } from '../../schema/strings.ts'
import { STATUS, type DecodeStatus } from '../status.ts'

const COMPACT_BYTES = 12
const EXPANDED_BYTES = 16
const RECORD_HEADER = 8

const IF_COUNTERS = 1
const OF_PORT = 1004
const PORT_NAME = 1005
const OVS_DP = 2207
const IF_COUNTERS_BYTES = 88
const OF_PORT_BYTES = 12
const OVS_DP_BYTES = 24
const MAX_NAME = 255

/** Of a counter that the agent does not have (sFlow v5 §5.3). */
const UNDEFINED = 0xffff_ffff

/** Different names and datapath ids that are kept as texts; of more, a text is made each time. */
const MOST_TEXTS = 4_096

const decoder = new TextDecoder('utf-8', { fatal: false })

export class CounterSampleDecoder {
  private readonly sink: DecodeSink
  private readonly counters: InterfaceCounters = newCounters()
  /** The same names come with every sample: to find one known costs a tenth of making its text. */
  private readonly names = new StringTable(MOST_TEXTS)
  private readonly datapaths = new Map<number, string>()

  constructor(sink: DecodeSink) {
    this.sink = sink
  }

  /** The sample at `datagram.bytes[at .. end)`. A record at fault ends it with `bad_length` or `bad_count`; nothing of it is told then. */
  decode(datagram: Datagram, at: number, end: number, expanded: boolean, subAgent: number): DecodeStatus {
    const { view } = datagram
    at += expanded ? EXPANDED_BYTES : COMPACT_BYTES
    if (at > end) return STATUS.bad_length
    let counters = -1
    let port = -1
    let name = -1
    let datapath = -1
    for (let count = view.getUint32(at - 4); count > 0; count--) {
      if (end - at < RECORD_HEADER) return STATUS.bad_count
      const format = view.getUint32(at)
      const length = view.getUint32(at + 4)
      at += RECORD_HEADER
      if (length > end - at) return STATUS.bad_length
      if (format === IF_COUNTERS && length >= IF_COUNTERS_BYTES) counters = at
      else if (format === OF_PORT && length >= OF_PORT_BYTES) port = at
      else if (format === PORT_NAME && length >= 4 && view.getUint32(at) <= length - 4) name = at
      else if (format === OVS_DP && length >= OVS_DP_BYTES) datapath = at
      at += (length + 3) & ~3
    }
    if (datapath >= 0) this.sink.datapathLost(datagram, subAgent, view.getUint32(datapath + 8))
    if (counters >= 0) this.interface(datagram, subAgent, counters, port, name)
    return STATUS.ok
  }

  private interface(datagram: Datagram, subAgent: number, at: number, port: number, name: number): void {
    const { view, bytes } = datagram
    const { counters } = this
    counters.ifIndex = view.getUint32(at)
    counters.ofport = port < 0 ? -1 : view.getUint32(port + 8)
    counters.datapathId = port < 0 ? '' : this.datapathId(view.getUint32(port), view.getUint32(port + 4))
    counters.name = name < 0 ? '' : this.text(bytes, name + 4, Math.min(view.getUint32(name), MAX_NAME))
    counters.speed = u64(view, at + 8)
    counters.inOctets = u64(view, at + 24)
    counters.outOctets = u64(view, at + 56)
    // OVS counts all packets as unicast, and those of them that are multicast once more; who sends 1004 is OVS.
    const kinds = port < 0 ? 3 : 1
    counters.inPackets = sum(view, at + 32, kinds)
    counters.outPackets = sum(view, at + 64, kinds)
    counters.inDiscards = sum(view, at + 44, 1)
    counters.outDiscards = sum(view, at + 76, 1)
    counters.inErrors = sum(view, at + 48, 1)
    counters.outErrors = sum(view, at + 80, 1)
    this.sink.interfaceCounters(datagram, subAgent, counters)
  }

  private text(bytes: Uint8Array, at: number, length: number): string {
    // The table takes NULs at the end for none of a text.
    const code = length === 0 || bytes[at + length - 1] === 0 ? 0 : this.names.internBytes(bytes, at, length)
    return code === 0 ? decoder.decode(bytes.subarray(at, at + length)) : this.names.values[code]!
  }

  private datapathId(high: number, low: number): string {
    // Of a MAC address, below 2^53; any other has a text made.
    const key = high * 0x1_0000_0000 + low
    const known = high < 0x20_0000 ? this.datapaths.get(key) : undefined
    if (known !== undefined) return known
    const id = hex(high) + hex(low)
    if (high < 0x20_0000 && this.datapaths.size < MOST_TEXTS) this.datapaths.set(key, id)
    return id
  }
}

/** Sum of `n` counters, those the agent does not have left out. */
function sum(view: DataView, at: number, n: number): number {
  let total = 0
  for (let i = 0; i < n; i++) {
    const value = view.getUint32(at + i * 4)
    if (value !== UNDEFINED) total += value
  }
  return total
}

/** A 64-bit counter, 0 when the agent does not have it or it does not fit 53 bits. */
function u64(view: DataView, at: number): number {
  const high = view.getUint32(at)
  return high < 0x20_0000 ? high * 0x1_0000_0000 + view.getUint32(at + 4) : 0
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}

function newCounters(): InterfaceCounters {
  return {
    ifIndex: 0,
    ofport: -1,
    datapathId: '',
    name: '',
    speed: 0,
    inOctets: 0,
    outOctets: 0,
    inPackets: 0,
    outPackets: 0,
    inDiscards: 0,
    outDiscards: 0,
    inErrors: 0,
    outErrors: 0,
  }
}
