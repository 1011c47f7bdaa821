import type { Params } from './plan.ts'
import type { Span } from './times.ts'

/** The condition of a span; binds its ends. */
export function spanCondition(span: Pick<Span, 'fromMs' | 'toMs'>, params: Params): string {
  const from = params.bind('Int64', span.fromMs)
  const to = params.bind('Int64', span.toMs)
  return `flow_end >= fromUnixTimestamp64Milli(${from}) AND flow_end < fromUnixTimestamp64Milli(${to})`
}

/** Finds what `spanCondition` wrote. */
export const SPAN_CONDITION =
  /flow_end >= fromUnixTimestamp64Milli\(\{\w+:Int64\}\) AND flow_end < fromUnixTimestamp64Milli\(\{\w+:Int64\}\)/g
