/** Audits again and again while a collector runs, so that agreement can be plotted: each span once, when its records have come. */
import type { Asker } from '../query/plan.ts'
import { encodeRows, type RowBlock, type SideRow } from '../schema/rows.ts'
import { AUDIT_TABLE } from '../schema/side-tables.ts'
import { audit, type Audited } from './audit.ts'

export interface AuditWriterOptions {
  asker: Asker
  /** Length of a span, and how often one is audited. */
  everyMs: number
  onBlock: (block: RowBlock) => void
  /** A store that did not answer: the span is left out. */
  onFault: (error: unknown) => void
}

export class AuditWriter {
  private readonly options: AuditWriterOptions
  private doneMs: number
  private running = false
  private stopped = false

  constructor(options: AuditWriterOptions, nowMs: number) {
    this.options = options
    this.doneMs = nowMs
  }

  /** What is being asked comes to nothing, and is no fault. */
  stop(): void {
    this.stopped = true
  }

  /**
   * To be called every few seconds. A span is audited when as much time again has passed, since records come when their flows are reported,
   * and the reading that ends it when it is taken.
   */
  async tick(nowMs: number): Promise<void> {
    const { asker, everyMs, onBlock, onFault } = this.options
    if (nowMs < this.doneMs) this.doneMs = nowMs
    if (this.stopped || this.running || nowMs < this.doneMs + 2 * everyMs) return
    this.running = true
    const span = { fromMs: nowMs - 2 * everyMs, toMs: nowMs - everyMs, explicit: true }
    this.doneMs = nowMs - everyMs
    try {
      const rows = (await audit(asker, { span }, nowMs)).map(rowOf)
      if (rows.length > 0 && !this.stopped) onBlock(encodeRows(AUDIT_TABLE, rows))
    } catch (error) {
      if (!this.stopped) onFault(error)
    } finally {
      this.running = false
    }
  }
}

function rowOf(one: Audited): SideRow<typeof AUDIT_TABLE> {
  return { ...one }
}
