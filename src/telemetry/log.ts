/** Logs: one JSON object a line, or on a terminal a line to be read. Nothing on the path of a datagram logs unsampled. */
import { pino, type DestinationStream, type Logger } from 'pino'

export type { Logger } from 'pino'

const COLOURS: Readonly<Record<string, string>> = { warn: '\u001B[33m', error: '\u001B[31m', fatal: '\u001B[31m' }
const RESET = '\u001B[0m'

/** A line as pino writes it. */
interface Line {
  level: string
  time: string
  msg?: string
  [field: string]: unknown
}

export interface LogOptions {
  level: string
  /** `auto` is text on a terminal and JSON elsewhere. */
  format: 'auto' | 'json' | 'text'
  /** Where lines go; default standard error, so that standard output stays for answers. */
  to?: { write(text: string): unknown; isTTY?: boolean }
}

/** A logger; `name` of errors and their code and cause are written, stacks only below debug. */
export function createLog({ level, format, to = process.stderr }: LogOptions): Logger {
  const text = format === 'text' || (format === 'auto' && to.isTTY === true)
  const stream: DestinationStream = { write: (line) => void to.write(text ? readable(line, to.isTTY === true) : line) }
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
    },
    stream,
  )
}

/** `12:00:01 warn  port 2055: buffer is smaller than asked for  granted=212992`. */
function readable(line: string, colour: boolean): string {
  const { level: name, time, msg = '', ...fields } = JSON.parse(line) as Line
  const shade = colour ? (COLOURS[name] ?? '') : ''
  const rest = Object.entries(fields).map(
    ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const head = `${time.slice(11, 19)} ${name.padEnd(5)}`
  return `${shade}${head} ${msg}${rest.length > 0 ? ' ' : ''}${rest.join('')}${shade === '' ? '' : RESET}\n`
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message } = error
  const code = (error as { code?: unknown }).code
  const cause = error.cause instanceof Error ? error.cause.message : undefined
  return { name, message, ...(code === undefined ? {} : { code }), ...(cause === undefined ? {} : { cause }) }
}
