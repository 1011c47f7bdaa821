import { randomInt } from 'node:crypto'
import { setTime, setU64, type FlowBatch } from '../../schema/batch.ts'
import { enumCodes } from '../../schema/enums.ts'
import { KEY_WORDS, KeyWriter, type MirroredFrame } from './frame.ts'
import { Order } from './order.ts'
import { Retransmits } from './retransmits.ts'

const REASON = enumCodes('flow_end_reason')
const FIN_OR_RST = 0x05

export interface FlowCacheOptions {
  /** Flows held at a time; beyond it the one idle for longest is reported early and counted. About 260 bytes each. */
  maxFlows: number
  /** A flow is reported this long after its first frame though it goes on. Milliseconds. */
  activeTimeoutMs: number
  /** A flow is reported this long after its last frame. Milliseconds. */
  inactiveTimeoutMs: number
  /** Reports a TCP flow at its FIN or RST. What comes after it, such as the last ACK, is a flow of its own. */
  endOnTcpClose: boolean
}

export const FLOW_CACHE_DEFAULTS: FlowCacheOptions = {
  maxFlows: 65_536,
  activeTimeoutMs: 60_000,
  inactiveTimeoutMs: 15_000,
  endOnTcpClose: false,
}

/**
 * Mirrored frames added up to flow records. Open addressing over typed arrays; nothing is allocated after the constructor.
 *
 * Invariant: every frame added is in exactly one flow, and every flow is written to a batch exactly once, so sums over rows are
 * sums over frames whatever timeouts and evictions do.
 *
 * One that is reported at its active timeout goes on: it rests with no packets, which is no row, until its next frame or until it is
 * idle. So what was sent before is known, and a segment sent again on the other side of the timeout is told.
 */
export class FlowCache {
  /** Flows held now. */
  size = 0
  /** Flows reported early since the cache was full. */
  evicted = 0

  private readonly options: FlowCacheOptions
  /** Flow number + 1 by hash, 0 = free; linear probing, at most half full. */
  private readonly slots: Uint32Array
  private readonly mask: number
  /** Hashes cannot be foreseen by who sends the frames. */
  private readonly seed = randomInt(0x1_0000_0000)

  private readonly keys: Uint32Array<ArrayBuffer>
  private readonly keyWriter: KeyWriter
  private readonly hashes: Uint32Array
  private readonly startMs: Float64Array
  private readonly endMs: Float64Array
  private readonly packets: Float64Array
  private readonly bytes: Float64Array
  private readonly l2Bytes: Float64Array
  private readonly tcpFlags: Uint16Array
  private readonly tos: Uint8Array
  private readonly ttl: Uint8Array
  private readonly flowLabel: Uint32Array
  private readonly corrections: Uint8Array
  private readonly retransmits: Retransmits
  /** By the time of the last frame, and of the first. */
  private readonly lastSeen: Order
  private readonly firstSeen: Order
  private readonly free: Uint32Array

  constructor(options: Partial<FlowCacheOptions> = {}) {
    this.options = { ...FLOW_CACHE_DEFAULTS, ...options }
    const flows = Math.max(1, this.options.maxFlows)
    const slots = 2 ** Math.ceil(Math.log2(flows * 2))
    this.slots = new Uint32Array(slots)
    this.mask = slots - 1
    this.keys = new Uint32Array(flows * KEY_WORDS)
    this.keyWriter = new KeyWriter(this.keys)
    this.hashes = new Uint32Array(flows)
    this.startMs = new Float64Array(flows)
    this.endMs = new Float64Array(flows)
    this.packets = new Float64Array(flows)
    this.bytes = new Float64Array(flows)
    this.l2Bytes = new Float64Array(flows)
    this.tcpFlags = new Uint16Array(flows)
    this.tos = new Uint8Array(flows)
    this.ttl = new Uint8Array(flows)
    this.flowLabel = new Uint32Array(flows)
    this.corrections = new Uint8Array(flows)
    this.retransmits = new Retransmits(flows)
    this.lastSeen = new Order(flows)
    this.firstSeen = new Order(flows)
    this.free = Uint32Array.from({ length: flows }, (_, i) => flows - 1 - i)
  }

  /** Counts a frame. Appends at most two rows to `out`, which has room for them: a flow due or evicted, and one that ends. */
  add(frame: MirroredFrame, out: FlowBatch): void {
    const hash = this.hash(frame.words)
    let flow = this.find(frame.words, hash)
    if (flow >= 0) {
      const due = this.due(flow, frame.atMs)
      if (due !== 0) {
        this.report(flow, due, out)
        if (due !== REASON.active_timeout) flow = -1
      }
    }
    if (flow < 0) flow = this.insert(frame, hash, out)
    else if (this.rests(flow)) this.goOn(flow, frame)
    else this.lastSeen.touch(flow)
    if (frame.atMs < this.startMs[flow]!) this.startMs[flow] = frame.atMs
    if (frame.atMs > this.endMs[flow]!) this.endMs[flow] = frame.atMs
    this.packets[flow]! += 1
    this.bytes[flow]! += frame.bytes
    this.l2Bytes[flow]! += frame.l2Bytes
    this.tcpFlags[flow]! |= frame.columns.tcp_flags[0]!
    this.corrections[flow]! |= frame.corrections
    if (frame.tcpLength > 0)
      this.retransmits.add(flow, frame.tcpSequence, frame.tcpLength, frame.columns.tcp_flags[0]!, frame.atMs)
    if (this.options.endOnTcpClose && (frame.columns.tcp_flags[0]! & FIN_OR_RST) !== 0)
      this.report(flow, REASON.end_of_flow, out)
  }

  /**
   * Reports flows whose time is up at `nowMs`, as many as `out` has room for; how many. A flow whose times lie a timeout after
   * `nowMs` is due too: the clock was set back, or an older capture is replayed.
   */
  expire(nowMs: number, out: FlowBatch): number {
    const before = out.rows
    for (const order of [this.lastSeen, this.firstSeen]) {
      for (let flow = order.head; flow >= 0 && out.rows < out.capacity; flow = order.head) {
        const due = this.due(flow, nowMs)
        if (due === 0) break
        this.report(flow, due, out)
      }
    }
    return out.rows - before
  }

  /** Why a flow is to be reported at `nowMs`, or 0. */
  private due(flow: number, nowMs: number): number {
    if (Math.abs(nowMs - this.endMs[flow]!) >= this.options.inactiveTimeoutMs) return REASON.idle_timeout
    if (this.rests(flow)) return 0
    return Math.abs(nowMs - this.startMs[flow]!) >= this.options.activeTimeoutMs ? REASON.active_timeout : 0
  }

  /** Reports all flows, as many as `out` has room for; how many. */
  flush(out: FlowBatch): number {
    const before = out.rows
    while (out.rows < out.capacity && this.lastSeen.head >= 0) this.report(this.lastSeen.head, REASON.forced_end, out)
    return out.rows - before
  }

  /** Two halves side by side, since each step waits for the multiplication before it. */
  private hash(key: Uint32Array): number {
    let even = this.seed
    let odd = ~this.seed
    for (let i = 0; i < KEY_WORDS; i += 2) {
      even = Math.imul(even ^ key[i]!, 0x9e3779b1)
      odd = Math.imul(odd ^ key[i + 1]!, 0x85ebca77)
      even ^= even >>> 15
      odd ^= odd >>> 13
    }
    const hash = Math.imul(even ^ (odd << 16) ^ (odd >>> 16), 0xc2b2ae3d)
    return (hash ^ (hash >>> 16)) >>> 0
  }

  private find(key: Uint32Array, hash: number): number {
    const { slots, mask, hashes } = this
    for (let slot = hash & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const flow = slots[slot]! - 1
      if (hashes[flow] === hash && this.sameKey(flow, key)) return flow
    }
    return -1
  }

  private sameKey(flow: number, key: Uint32Array): boolean {
    const { keys } = this
    const at = flow * KEY_WORDS
    for (let i = 0; i < KEY_WORDS; i++) if (keys[at + i] !== key[i]) return false
    return true
  }

  private insert(frame: MirroredFrame, hash: number, out: FlowBatch): number {
    if (this.size === this.free.length) {
      const oldest = this.lastSeen.head
      if (!this.rests(oldest)) this.evicted++
      this.report(oldest, REASON.lack_of_resources, out)
    }
    const flow = this.free[this.free.length - ++this.size]!
    let slot = hash & this.mask
    while (this.slots[slot] !== 0) slot = (slot + 1) & this.mask
    this.slots[slot] = flow + 1
    this.hashes[flow] = hash
    for (let i = 0; i < KEY_WORDS; i++) this.keys[flow * KEY_WORDS + i] = frame.words[i]!
    this.empty(flow)
    this.retransmits.begin(flow)
    this.begin(flow, frame)
    this.lastSeen.append(flow)
    return flow
  }

  private empty(flow: number): void {
    this.packets[flow] = this.bytes[flow] = this.l2Bytes[flow] = 0
    this.tcpFlags[flow] = this.corrections[flow] = 0
    this.retransmits.counts[flow] = 0
  }

  private begin(flow: number, frame: MirroredFrame): void {
    this.startMs[flow] = this.endMs[flow] = frame.atMs
    this.tos[flow] = frame.tos
    this.ttl[flow] = frame.columns.ttl[0]!
    this.flowLabel[flow] = frame.columns.flow_label[0]!
    this.firstSeen.append(flow)
  }

  /** Whether all of a flow is reported. */
  private rests(flow: number): boolean {
    return this.packets[flow] === 0
  }

  private goOn(flow: number, frame: MirroredFrame): void {
    this.begin(flow, frame)
    this.lastSeen.touch(flow)
  }

  /** Writes a flow's row, unless it rests; it rests after its active timeout, and is gone otherwise. */
  private report(flow: number, reason: number, out: FlowBatch): void {
    if (this.rests(flow)) return this.remove(flow)
    this.write(flow, reason, out)
    this.firstSeen.remove(flow)
    this.empty(flow)
    if (reason !== REASON.active_timeout) this.remove(flow)
  }

  private write(flow: number, reason: number, out: FlowBatch): void {
    const row = out.rows
    const { columns } = out
    this.keyWriter.write(flow, out, row)
    for (let lane = row * 4; lane < row * 4 + 4; lane++) columns.agent[lane] = columns.exporter[lane]!
    setTime(columns.flow_start, row, this.startMs[flow]!)
    setTime(columns.flow_end, row, this.endMs[flow]!)
    setTime(columns.time_received, row, this.endMs[flow]!)
    setU64(columns.packets, row, this.packets[flow]!)
    setU64(columns.bytes, row, this.bytes[flow]!)
    setU64(columns.l2_bytes, row, this.l2Bytes[flow]!)
    columns.tcp_flags[row] = this.tcpFlags[flow]!
    columns.tos[row] = this.tos[flow]!
    columns.ttl[row] = this.ttl[flow]!
    columns.flow_label[row] = this.flowLabel[flow]!
    columns.corrections[row] = this.corrections[flow]!
    columns.tcp_retransmits[row] = this.retransmits.counts[flow]!
    columns.sampling_rate[row] = 1
    columns.flow_end_reason[row] = reason
    out.rows = row + 1
  }

  private remove(flow: number): void {
    this.lastSeen.remove(flow)
    this.free[this.free.length - this.size--] = flow
    this.vacate(flow)
  }

  /** Frees the slot of a flow and moves up what probing put behind it. */
  private vacate(flow: number): void {
    const { slots, mask, hashes } = this
    let gap = hashes[flow]! & mask
    while (slots[gap] !== flow + 1) gap = (gap + 1) & mask
    for (let slot = (gap + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashes[slots[slot]! - 1]! & mask
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue
      slots[gap] = slots[slot]!
      gap = slot
    }
    slots[gap] = 0
  }
}
