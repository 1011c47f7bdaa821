/** Lines of a text, however it is cut into parts; one that is too long is told as such and passed over. */
import { StringDecoder } from 'node:string_decoder'

export interface Line {
  /** Undefined when it was too long. */
  text: string | undefined
  /** Of its beginning, from 1. */
  number: number
}

/** More characters than that are no record. */
export const MAX_LINE = 1024 * 1024

/** With `csv` a line goes on where a quote is open. Line ends are LF or CRLF. */
export async function* linesOf(parts: AsyncIterable<Buffer>, csv: boolean): AsyncGenerator<Line> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  let number = 1
  let tooLong = false
  function* cut(text: string): Generator<Line> {
    let from = 0
    for (let end = text.indexOf('\n', 0); end >= 0; end = text.indexOf('\n', end + 1)) {
      const one = text.slice(from, end)
      if (csv && !tooLong && isOpen(one) && one.length <= MAX_LINE) continue
      yield { text: tooLong || one.length > MAX_LINE ? undefined : one.replace(/\r$/, ''), number }
      number += 1 + (csv ? newlines(one) : 0)
      tooLong = false
      from = end + 1
    }
    rest = text.slice(from)
    if (rest.length > MAX_LINE) {
      number += newlines(rest)
      tooLong = true
      rest = ''
    }
  }
  for await (const part of parts) yield* cut(rest + decoder.write(part))
  rest += decoder.end()
  if (rest !== '' || tooLong)
    yield { text: tooLong || (csv && isOpen(rest)) ? undefined : rest.replace(/\r$/, ''), number }
}

function isOpen(text: string): boolean {
  let quotes = 0
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) quotes++
  return quotes % 2 === 1
}

function newlines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) count++
  return count
}

/** Fields of a line of RFC 4180; undefined when its quotes are not in order. */
export function csvFields(line: string): string[] | undefined {
  if (!line.includes('"')) return line.split(',')
  const fields: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  for (;;) {
    const match = field.exec(line)
    if (match === null) return undefined
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    if (match[3] === '') return fields
  }
}
