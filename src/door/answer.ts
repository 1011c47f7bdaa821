/**
 * An answer on its way to the client, while the engine writes it: what the client does not take the engine does not write, and of an answer
 * that nobody waits for any more nothing is left.
 *
 * The first bytes wait, as the server's do in its buffer: an error that comes so early is a status then, and what the engine tells of a
 * question that is done is in the headers.
 */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Answered, ChdbAnswers } from '../store/chdb-answers.ts'
import { EngineError } from '../store/engine-error.ts'
import { packBlock, packing } from './blocks.ts'
import type { Question } from './request.ts'
import { withRevision } from './revision.ts'

/** Bytes that wait before the head is sent. */
const HELD_BYTES = 256 * 1024
/** What is to be sent whole (`wait_end_of_query`), and is larger, is not. */
const WAIT_BYTES = 16 * 1024 ** 2
/** A client that takes nothing for so long is let go. */
const IDLE_MS = 60_000

const TYPES: readonly [RegExp, string][] = [
  [/^(?:JSONEachRow|JSONCompactEachRow|JSONStringsEachRow|NDJSON|JSONLines)/, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/, 'application/json; charset=UTF-8'],
  [/^CSVWithNames/, 'text/csv; charset=UTF-8; header=present'],
  [/^CSV/, 'text/csv; charset=UTF-8; header=absent'],
  [/^(?:TSV|TabSeparated)/, 'text/tab-separated-values; charset=UTF-8'],
  [/^XML/, 'application/xml; charset=UTF-8'],
  [/^(?:Native|RowBinary|Parquet|Arrow)/, 'application/octet-stream'],
]

/** Asks, and sends what is answered. Errors, while nothing is sent: EngineError, store_unreachable, data_dir_unwritable. */
export async function sendAnswer(answers: ChdbAnswers, question: Question, response: ServerResponse): Promise<void> {
  const { format } = question
  response.setHeader('X-ClickHouse-Format', format)
  response.setHeader('Content-Type', TYPES.find(([rule]) => rule.test(format))?.[1] ?? 'text/plain; charset=UTF-8')
  if (!question.streams) return sendWhole(answers, question, response)
  const rewritten = format === 'Native' && question.revision > 0
  const encoding = rewritten ? undefined : question.encoding
  const stream = await answers.asWritten(question.sql, format, {
    ...question,
    ...(encoding === undefined ? {} : { compression: encoding }),
  })
  const { cancel, done } = stream
  const idle = setTimeout(() => response.destroy(), IDLE_MS)
  const gone = () => {
    clearTimeout(idle)
    cancel()
  }
  response.once('close', gone)
  response.on('drain', () => idle.refresh())
  if (response.destroyed) gone()
  const body = layers(stream.body, question, rewritten)
  const tag = randomBytes(8).toString('hex')
  try {
    const { held, answered, parts } = await begin(body, done, question.wait ? WAIT_BYTES : HELD_BYTES)
    idle.refresh()
    if (encoding !== undefined) response.setHeader('Content-Encoding', encoding)
    response.setHeader('X-ClickHouse-Summary', summary(answered, held.length))
    response.setHeader('X-ClickHouse-Exception-Tag', tag)
    if (answered !== undefined) return void response.end(held)
    await pipeline(Readable.from(rest(held, parts, idle), { objectMode: false, highWaterMark: 64 * 1024 }), response, {
      end: false,
    })
    await done
    response.end()
  } catch (error) {
    cancel()
    if (!response.headersSent) throw error
    breakOff(response, error, encoding === undefined && !question.blocks ? tag : undefined)
  } finally {
    if (response.writableEnded) clearTimeout(idle)
  }
}

async function sendWhole(answers: ChdbAnswers, question: Question, response: ServerResponse): Promise<void> {
  const { bytes, ...answered } = await answers.whole(`${question.sql}\n${question.after}`, question.format, question)
  const plain = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const parts: Buffer[] = []
  for await (const part of layers(
    Readable.from([plain]),
    { ...question, blocks: false },
    question.revision > 0 && question.format === 'Native',
  ))
    parts.push(part as Buffer)
  const body = Buffer.concat(parts)
  response.setHeader('X-ClickHouse-Summary', summary(answered, body.length))
  response.end(question.blocks && body.length > 0 ? packBlock(body) : body)
}

/** What the engine wrote as the client wants it. */
function layers(body: Readable, { revision, blocks }: Question, rewritten: boolean): Readable {
  const made = [...(rewritten ? [withRevision(revision)] : []), ...(blocks ? [packing()] : [])]
  let last = body
  for (const next of made) {
    // A fault goes on to the end of the chain, where it is awaited.
    last.on('error', (error) => next.destroy(error))
    last = last.pipe(next)
  }
  return last
}

interface Begun {
  held: Buffer
  /** What the engine said, where that was all. */
  answered: Answered | undefined
  parts: AsyncIterator<Buffer>
}

/** Takes the first bytes; fails when the engine fails meanwhile. */
async function begin(body: Readable, done: Promise<Answered>, most: number): Promise<Begun> {
  const parts = (body as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const held: Buffer[] = []
  let bytes = 0
  while (bytes < most) {
    const next = await parts.next()
    if (next.done === true) return { held: Buffer.concat(held), answered: await done, parts }
    held.push(next.value)
    bytes += next.value.length
  }
  return { held: Buffer.concat(held), answered: undefined, parts }
}

async function* rest(held: Buffer, parts: AsyncIterator<Buffer>, idle: NodeJS.Timeout): AsyncGenerator<Buffer> {
  yield held
  for (;;) {
    const next = await parts.next()
    if (next.done === true) return
    idle.refresh()
    yield next.value
  }
}

/** As the server writes it since 25.11: clients find the words behind the tag of the header; the connection ends without an end. */
function breakOff(response: ServerResponse, error: unknown, tag: string | undefined): void {
  if (tag === undefined || !(error instanceof EngineError) || response.destroyed) return void response.destroy()
  const words = `${error.message}\n`
  const size = Buffer.byteLength(words)
  response.write(`\r\n__exception__\r\n${tag}\r\n${words}${size} ${tag}\r\n__exception__\r\n`, () => response.destroy())
}

function summary(answered: Answered | undefined, bytes: number): string {
  const { rowsRead = 0, bytesRead = 0, elapsedS = 0 } = answered ?? {}
  return JSON.stringify({
    read_rows: String(rowsRead),
    read_bytes: String(bytesRead),
    written_rows: '0',
    written_bytes: '0',
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: String(bytes),
    elapsed_ns: String(Math.round(elapsedS * 1e9)),
  })
}
