/**
 * Datagrams that follow each other, of one exporter, protocol and domain and with the same good status: counted as one when another comes. What
 * is counted of a datagram lies in a dozen places, which took as long as decoding a record of Open vSwitch.
 */
import type { FlowBatch } from '../schema/batch.ts'
import type { PipelineCounters } from './counters.ts'
import type { ExporterTable } from './exporters.ts'
import type { HealthRecorder } from './health.ts'

export class DatagramRun {
  /** How many; what else stands here holds only where there are some. */
  datagrams = 0
  /** Place of the exporter, index into PROTOCOLS, status, and what `HealthRecorder.ofDecoded` gave. */
  place = -1
  protocol = 0
  status = 0
  health = 0
  bytes = 0
  /** Their rows, from `from` on in `out`. */
  rows = 0
  out: FlowBatch | undefined
  from = 0

  /** Whether a datagram goes on with it. */
  goesOn(place: number, protocol: number, status: number, health: number, out: FlowBatch): boolean {
    return (
      this.datagrams > 0 &&
      place === this.place &&
      health === this.health &&
      status === this.status &&
      protocol === this.protocol &&
      out === this.out
    )
  }

  /** A first datagram, whose rows are the last of `out`. */
  begin(
    place: number,
    protocol: number,
    status: number,
    health: number,
    out: FlowBatch,
    rows: number,
    bytes: number,
  ): void {
    this.datagrams = 1
    this.place = place
    this.protocol = protocol
    this.status = status
    this.health = health
    this.out = out
    this.from = out.rows - rows
    this.rows = rows
    this.bytes = bytes
  }

  /** Counts them. */
  count(counters: PipelineCounters, exporters: ExporterTable, health: HealthRecorder): void {
    const { datagrams, place, protocol, status, bytes, rows } = this
    counters.count(protocol, status, datagrams, bytes, rows)
    exporters.datagrams[place]! += datagrams
    exporters.rows[place]! += rows
    health.decoded(this.health, protocol, datagrams, bytes, rows, status)
  }
}
