/**
 * Questions as people put them, in words, and their answers. The command line and the API both come through here, so they
 * take the same words, refuse the same mistakes and give the same rows.
 */
export { askTop, checkTop, DEFAULT_TOP_ROWS, type TopRequest } from './ask-top.ts'
export { askCompleteness } from './completeness.ts'
export { askMatrix, checkMatrix, type MatrixRequest } from './ask-matrix.ts'
export { askSeries, checkSeries, type SeriesRequest } from './ask-series.ts'
export { askFlows, checkFlows, DEFAULT_FLOWS_ROWS, type FlowsAnswer, type FlowsRequest } from './ask-flows.ts'
export { askHistory, DEFAULT_HISTORY_ROWS, type HistoryRequest } from './history.ts'
export { askExporters } from './exporters.ts'
export { askNames, type NamesRequest } from './ask-names.ts'
export { askExplain, checkExplain, type ExplainRequest } from './explain.ts'
export { askStore, type StoreRequest } from './store-status.ts'
export { MAX_ROWS, type Answer, type Cell, type Row } from './request.ts'
