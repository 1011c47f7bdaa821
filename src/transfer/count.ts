/** Counts the records in an export while it passes by, from the bytes themselves. */
import { Transform } from 'node:stream'
import type { ExportFormat } from './export.ts'
import { footerRows, PARQUET_TAIL } from './parquet.ts'

export interface Counted {
  bytes: number
  /** Records that have passed; of Parquet only at its end, undefined until then. */
  records: number | undefined
}

/** `counted` is kept current. Fails at its end where a Parquet file is cut. */
export function counting(format: ExportFormat, counted: Counted): Transform {
  return format === 'parquet' ? parquet(counted) : lines(format, counted)
}

const NEWLINE = 0x0a
const QUOTE = 0x22

/** Line ends; in CSV those outside of quotes, less the head. */
function lines(format: ExportFormat, counted: Counted): Transform {
  counted.records = 0
  let ends = 0
  let quoted = false
  const head = format === 'csv' ? 1 : 0
  return new Transform({
    transform(part: Buffer, _, done) {
      counted.bytes += part.length
      if (format === 'csv' && (quoted || part.includes(QUOTE))) {
        for (const byte of part)
          if (byte === QUOTE) quoted = !quoted
          else if (byte === NEWLINE && !quoted) ends++
      } else for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, at + 1)) ends++
      counted.records = Math.max(0, ends - head)
      done(null, part)
    },
  })
}

/** The footer tells it, which is the end of the file. */
function parquet(counted: Counted): Transform {
  let tail: Buffer[] = []
  let bytes = 0
  return new Transform({
    transform(part: Buffer, _, done) {
      counted.bytes += part.length
      tail.push(part)
      bytes += part.length
      while (bytes - tail[0]!.length >= PARQUET_TAIL) bytes -= tail.shift()!.length
      done(null, part)
    },
    flush(done) {
      counted.records = footerRows(Buffer.concat(tail))
      tail = []
      done()
    },
  })
}
