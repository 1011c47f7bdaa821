import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { AppError } from '../errors.ts'
import {
  askExplain,
  askExporters,
  askFlows,
  askHistory,
  askMatrix,
  askNames,
  askSeries,
  askStore,
  askTop,
  type Answer,
  type ExplainRequest,
  type FlowsRequest,
  type HistoryRequest,
  type MatrixRequest,
  type NamesRequest,
  type SeriesRequest,
  type StoreRequest,
  type TopRequest,
} from '../query/ask.ts'
import { askAudit, type AuditRequest } from '../audit/ask.ts'
import { statementsText, TimedAsker } from '../query/timed.ts'
import type { SpanRequest } from '../query/times.ts'
import { type ExportRequest, type Exporting, openExport } from '../transfer/export.ts'
import type { CliContext, StoreTarget } from './context.ts'
import { collectorOf, type CollectorAccess } from './collector-note.ts'

/** Whoever answers questions: a running collector over HTTP, or the store opened here. The user need not know which. */
export interface Backend {
  /** What to show: `collector http://127.0.0.1:8080` or the store's name. */
  readonly name: string
  /** What its answers took, in words; undefined when that is not known. */
  cost(): string | undefined
  top(request: TopRequest): Promise<Answer>
  flows(request: FlowsRequest): Promise<Answer>
  matrix(request: MatrixRequest): Promise<Answer>
  series(request: SeriesRequest): Promise<Answer>
  explain(request: ExplainRequest): Promise<Answer>
  names(request: NamesRequest): Promise<Answer>
  exporters(request: SpanRequest): Promise<Answer>
  audit(request: AuditRequest): Promise<Answer>
  store(request: StoreRequest): Promise<Answer>
  history(request: HistoryRequest): Promise<Answer>
  export(request: ExportRequest): Promise<Exporting>
  close(): Promise<void>
}

/** How long a question waits for another one that holds the data directory; each takes about a second. */
const PATIENCE_MS = 10_000
const PAUSE_MS = 200

/**
 * A collector that is named is asked. One holds the embedded store of its data directory, so it is asked when it runs there; else, and for a server, the
 * store is opened here. Errors: file_unreadable when there is no data; those of opening a store.
 */
export async function openBackend(target: StoreTarget & CollectorAccess, context: CliContext): Promise<Backend> {
  if (target.clickhouse !== null && target.url === null) return storeBackend(target, context)
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const url = await collectorOf(target)
    if (url !== undefined) return (await import('./remote.ts')).remoteBackend(url)
    if (!existsSync(target.data))
      throw new AppError(
        'file_unreadable',
        `there is no data in ${resolve(target.data)}; run ovsight collect or ovsight replay first, or give --data`,
      )
    try {
      return await storeBackend(target, context)
    } catch (error) {
      // Another question, a replay, or a collector that does not answer yet.
      if (!(error instanceof AppError) || error.code !== 'data_dir_locked' || performance.now() > end) throw error
      await setTimeout(PAUSE_MS)
    }
  }
}

async function storeBackend(target: StoreTarget, context: CliContext): Promise<Backend> {
  const store = await context.openStore(target)
  const asker = new TimedAsker(store)
  return {
    name: store.name,
    cost: () => statementsText(asker.statements),
    top: (request) => askTop(asker, request, context.now()),
    flows: (request) => askFlows(asker, request, context.now()),
    matrix: (request) => askMatrix(asker, request, context.now()),
    series: (request) => askSeries(asker, request, context.now()),
    explain: (request) => askExplain(asker, request),
    names: (request) => askNames(asker, request, context.now()),
    audit: (request) => askAudit(asker, request, context.now()),
    store: (request) => askStore(asker, request),
    history: (request) => askHistory(asker, request, context.now()),
    exporters: (request) => askExporters(asker, request, context.now()),
    export: (request) => openExport(store, request, context.now()),
    close: () => store.close(),
  }
}
