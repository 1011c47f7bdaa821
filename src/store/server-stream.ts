/** Rows of a plan as a server writes them, in any of its formats. */
import { Readable } from 'node:stream'
import type { ClickHouseClient } from '@clickhouse/client'
import type { AppError } from '../errors.ts'
import { identifier } from '../schema/ddl.ts'
import { checkPlaceholders } from './parameters.ts'
import type { QueryPlan, StreamSettings } from './store.ts'

/** See Store.stream; `failure` says what an error of the client is. */
export async function streamOf(
  client: ClickHouseClient,
  plan: QueryPlan,
  format: string,
  settings: StreamSettings,
  failure: (error: unknown) => AppError,
): Promise<Readable> {
  checkPlaceholders(plan)
  const given = new AbortController()
  try {
    const { stream } = await client.exec({
      query: `${plan.sql}\nFORMAT ${identifier(format)}`,
      query_params: { ...plan.params },
      clickhouse_settings: { ...settings, max_execution_time: (plan.timeoutMs ?? 0) / 1000, wait_end_of_query: 0 },
      decompress_response_stream: true,
      abort_signal: given.signal,
    })
    return Readable.from(parts(stream, given, failure), { objectMode: false })
  } catch (error) {
    throw failure(error)
  }
}

async function* parts(
  stream: Readable,
  given: AbortController,
  failure: (error: unknown) => AppError,
): AsyncGenerator<Buffer> {
  let whole = false
  try {
    for await (const part of stream as AsyncIterable<Buffer>) yield part
    whole = true
  } catch (error) {
    throw failure(error)
  } finally {
    // What is given up is not worked on any further.
    if (!whole) given.abort()
  }
}
