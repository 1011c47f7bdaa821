/** What the pipeline counts: plain numbers and typed arrays, read by telemetry when somebody asks. */
import { PROTOCOLS } from '../decode/decoder.ts'
import { DECODE_STATUS_NAMES, STATUS } from '../decode/status.ts'
import { enumValues } from '../schema/enums.ts'
import { KeyTable } from './key-table.ts'

const STATUSES = DECODE_STATUS_NAMES.length
/** Protocol that a row that was held back counts for, by its `export_protocol`: ERSPAN comes through GRE. */
const CAME_BY = enumValues('export_protocol').map((value) =>
  PROTOCOLS.indexOf(PROTOCOLS.find((protocol) => protocol === value) ?? 'gre'),
)

/** Index into PROTOCOLS of what a row with this `export_protocol` came by. */
export function cameBy(exportProtocol: number): number {
  return CAME_BY[exportProtocol]!
}

/** Why a datagram was not decoded at all. */
export const DROP_REASONS = ['overload', 'exporters', 'not_allowed'] as const

export class PipelineCounters {
  /** Datagrams: `decoded[protocol * statuses + status]`. */
  readonly decoded = new Float64Array(PROTOCOLS.length * STATUSES)
  /** Payload bytes and rows by protocol. Rows of mirrored frames count when their flow is written. */
  readonly bytes = new Float64Array(PROTOCOLS.length)
  readonly rows = new Float64Array(PROTOCOLS.length)
  readonly dropped = { overload: 0, exporters: 0, not_allowed: 0 }
  blocks = 0
  /** Times the clock of this machine was set. */
  clockSteps = 0
  /** Strings left empty by StringTables that are gone. */
  stringsRefused = 0

  private readonly faultTable: KeyTable
  private readonly faultCounts: Float64Array

  constructor(maxFaults: number, idleMs: number) {
    this.faultTable = new KeyTable(maxFaults, idleMs)
    this.faultCounts = new Float64Array(maxFaults)
  }

  /** One datagram that was not ok. */
  fault(exporterId: number, protocol: number, status: number, nowMs: number): void {
    const place = this.faultTable.place(exporterId, protocol, status, 0, nowMs)
    if (place < 0) return
    if (this.faultTable.fresh) this.faultCounts[place] = 0
    this.faultCounts[place]!++
  }

  /** Faults by exporter, protocol and status. */
  *faults(): Generator<{ exporterId: number; protocol: number; status: number; count: number }> {
    for (let place = 0; place < this.faultTable.size; place++)
      yield {
        exporterId: this.faultTable.word(place, 0),
        protocol: this.faultTable.word(place, 1),
        status: this.faultTable.word(place, 2),
        count: this.faultCounts[place]!,
      }
  }

  /** Datagrams by protocol and status, those that occurred. */
  *datagrams(): Generator<{ protocol: number; status: number; count: number }> {
    for (const [at, count] of this.decoded.entries())
      if (count > 0) yield { protocol: Math.floor(at / STATUSES), status: at % STATUSES, count }
  }

  /** A row that a flow cache held back. */
  heldBack(exportProtocol: number): void {
    this.rows[CAME_BY[exportProtocol]!]!++
  }

  /** Datagrams of a protocol with a status, their bytes and rows. */
  count(protocol: number, status: number, datagrams: number, bytes: number, rows: number): void {
    this.decoded[protocol * STATUSES + status]! += datagrams
    this.bytes[protocol]! += bytes
    this.rows[protocol]! += rows
  }
}

/** Whether a status says that something was wrong with the datagram. What is held for its template may come right yet. */
export function isFault(status: number): boolean {
  return status !== STATUS.ok && status !== STATUS.ok_no_rows && status !== STATUS.template_awaited
}
