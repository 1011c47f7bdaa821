import { AppError } from '../errors.ts'
import { SHOWN, type Shown } from '../identity/describe.ts'
import { didYouMean } from '../query/nearest.ts'

/** A kind of thing that `identity show` knows, in the plural or not. Errors: usage. */
export function parseShown(kind: string): Shown {
  const found = SHOWN.find((one) => one === kind || one === `${kind}s`)
  if (found !== undefined) return found
  throw new AppError('usage', `${kind.slice(0, 40)} is none of ${SHOWN.join(', ')}${didYouMean(kind, SHOWN)}`)
}
