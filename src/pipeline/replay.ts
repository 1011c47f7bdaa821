/** The exports inside a capture, fed through a pipeline at the capture's own times. */
import { type Hash, createHash } from 'node:crypto'
import type { DatagramBatch } from '../receive/receiver.ts'
import type { CapturedPacket } from '../wire/captured-packet.ts'
import { TRANSPORT, Transport } from '../wire/transport.ts'
import { INPUTS, type Input, resembles } from './demultiplex.ts'
import type { Pipeline } from './pipeline.ts'

/** UDP destination ports that are nobody's, remembered with what they seem to carry. */
const MAX_STRANGE_PORTS = 256
/** How often, by the capture's time, flows are timed out. */
const TICK_MS = 250

export interface ReplayCounts {
  packets: number
  /** Datagrams given to the pipeline, by input. */
  datagrams: Record<Input, number>
  /** UDP datagrams for ports that nobody asked for. */
  strangePorts: number
  /** Packets that are neither UDP nor GRE. */
  otherPackets: number
  /** Packets whose headers are cut or wrong, and fragments that never became whole. */
  damagedPackets: number
  /** Datagrams that the capture cut to its snapshot length; their sound part was decoded. */
  cutDatagrams: number
  /** Time of the first and the last packet, milliseconds since 1970. */
  firstMs: number
  lastMs: number
}

/** Told of the capture's time as it passes, and when all of a capture is written; both may ask for a token. */
export interface ReplayListener {
  onTick?: (nowMs: number) => void
  onEnd?: () => void
}

export class Replay {
  readonly counts: ReplayCounts = {
    packets: 0,
    datagrams: Object.fromEntries(INPUTS.map((input) => [input, 0])) as Record<Input, number>,
    strangePorts: 0,
    otherPackets: 0,
    damagedPackets: 0,
    cutDatagrams: 0,
    firstMs: Infinity,
    lastMs: -Infinity,
  }
  /** Ports nobody asked for that carry something that looks like an export: how many datagrams, and like what. */
  readonly hints = new Map<number, { input: Input; datagrams: number }>()

  private readonly pipeline: Pipeline
  private readonly inputs: ReadonlyMap<number, Input>
  private readonly transport = new Transport()
  private readonly one: Mutable<DatagramBatch>
  private hash: Hash = createHash('sha256')
  private blocks = 0
  private readonly stamp = new Float64Array(4)
  private readonly stampBytes = new Uint8Array(this.stamp.buffer)
  private tickMs = -Infinity
  private readonly listener: ReplayListener

  /** `inputs`: which UDP destination port is for what. GRE needs no port. */
  constructor(pipeline: Pipeline, inputs: ReadonlyMap<number, Input>, listener: ReplayListener = {}) {
    this.pipeline = pipeline
    this.inputs = inputs
    this.listener = listener
    const { source, bytes, view } = this.transport
    const start = new Uint32Array(1)
    const end = new Uint32Array(1)
    this.one = { bytes, view, count: 1, start, end, source, sourcePort: new Uint16Array(1), receivedMs: 0 }
  }

  /**
   * Feeds a whole capture and writes what it gave. Waits while the pipeline is busy, so that nothing is dropped. What the capture
   * throws (`capture_cut`) passes through after everything before it is written.
   */
  async run(capture: AsyncIterable<CapturedPacket>): Promise<void> {
    this.hash = createHash('sha256')
    this.blocks = 0
    this.tickMs = -Infinity
    try {
      for await (const packet of capture) {
        this.feed(packet)
        if (this.pipeline.busy) await this.pipeline.ready()
      }
    } finally {
      await this.pipeline.flush()
      this.listener.onEnd?.()
    }
  }

  /**
   * Deduplication token of a block of `rows` rows that is sealed now: the same capture gives the same tokens, whatever it is
   * called and whenever it is replayed. To be asked once a block.
   */
  token(rows: number): string {
    return `replay-${this.hash.copy().digest('hex').slice(0, 40)}-${this.blocks++}-${rows}`
  }

  private feed(packet: CapturedPacket): void {
    const { counts, transport } = this
    counts.packets++
    if (packet.timeMs < counts.firstMs) counts.firstMs = packet.timeMs
    if (packet.timeMs > counts.lastMs) counts.lastMs = packet.timeMs
    this.tick(packet.timeMs)
    const kind = transport.find(packet)
    if (kind === TRANSPORT.udp) {
      const input = this.inputs.get(transport.destinationPort)
      if (input === undefined) this.noteStrange(transport)
      else this.feedOne(input, packet.timeMs)
    } else if (kind === TRANSPORT.gre) this.feedOne('gre', packet.timeMs)
    else if (kind === TRANSPORT.damaged) counts.damagedPackets++
    else if (kind === TRANSPORT.other) counts.otherPackets++
  }

  private feedOne(input: Input, timeMs: number): void {
    const { one, transport, counts } = this
    one.bytes = transport.bytes
    one.view = transport.view
    one.start[0] = transport.start
    one.end[0] = transport.end
    one.sourcePort[0] = transport.sourcePort
    one.receivedMs = Math.floor(timeMs)
    this.fold(timeMs)
    counts.datagrams[input]++
    if (transport.cut) counts.cutDatagrams++
    this.pipeline.feed(input, one)
  }

  /** The datagram goes into the token of the block that its rows will be in. */
  private fold(timeMs: number): void {
    const { stamp, stampBytes, transport } = this
    stamp[0] = timeMs
    stamp[1] = transport.sourcePort * 65_536 + transport.destinationPort
    stampBytes.set(new Uint8Array(transport.source.buffer), 16)
    this.hash.update(stampBytes)
    this.hash.update(transport.bytes.subarray(transport.start, transport.end))
  }

  private tick(timeMs: number): void {
    if (timeMs - this.tickMs < TICK_MS) return
    this.tickMs = timeMs
    this.pipeline.tick(timeMs)
    this.listener.onTick?.(timeMs)
  }

  private noteStrange(transport: Transport): void {
    this.counts.strangePorts++
    const { destinationPort: port, view, start, end } = transport
    const hint = this.hints.get(port)
    if (hint !== undefined) {
      hint.datagrams++
      return
    }
    const input = this.hints.size < MAX_STRANGE_PORTS ? resembles(view, start, end) : undefined
    if (input !== undefined) this.hints.set(port, { input, datagrams: 1 })
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
