import { AppError } from '../../errors.ts'

/** Characters of the filter shown on either side of the mistake. */
const CONTEXT = 30

/** What is wrong with a filter, and where. */
export class FilterError extends AppError {
  /** Column of the mistake, from 1. */
  readonly position: number

  /** `at` is the offset of the mistake in `text`. */
  constructor(text: string, at: number, message: string) {
    super('filter_invalid', `filter, column ${at + 1}: ${message}`, { details: pointer(text, at) })
    this.position = at + 1
  }
}

/** The part of the filter around the mistake, and below it a caret. */
function pointer(text: string, at: number): string[] {
  const start = Math.max(0, at - CONTEXT)
  const end = Math.min(text.length, at + CONTEXT)
  const before = `${start > 0 ? '…' : ''}${oneLine(text.slice(start, at))}`
  return [`${before}${oneLine(text.slice(at, end))}${end < text.length ? '…' : ''}`, `${' '.repeat(before.length)}^`]
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ')
}
