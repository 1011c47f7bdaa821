import { AppError } from '../errors.ts'
import { SHOWN, type Shown } from '../identity/describe.ts'
import { didYouMean } from '../query/nearest.ts'

/** A kind of thing that `identity show` knows, in the plural or not. Errors: usage. */
export function parseShown(kind: string): Shown {
  const found = find(kind)
  if (found !== undefined) return found
  throw noneOf(kind)
}

export function isShown(kind: string): boolean {
  return find(kind) !== undefined
}

/** The fault that a word is no kind; `more` says what else it is not. */
export function noneOf(kind: string, more = ''): AppError {
  const text = `${kind.slice(0, 40)} is none of ${SHOWN.join(', ')}${more === '' ? '' : `, ${more}`}`
  return new AppError('usage', `${text}${didYouMean(kind, SHOWN)}`)
}

function find(kind: string): Shown | undefined {
  return SHOWN.find((one) => one === kind || one === `${kind}s`)
}
