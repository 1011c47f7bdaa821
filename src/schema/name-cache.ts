const WORDS = 8
const LENGTH = 4
const CODE = 5
/** Bytes that the four words of an entry cover: the first eight and the last eight. */
const COVERED = 16
/** Of 2^PLACE_BITS places, 32 bytes each. */
const PLACE_BITS = 13
const SHIFT = 32 - PLACE_BITS

/** What generated code that looks into `NameCache.entries` itself has to know: the words of an entry, and where it lies. */
export const NAME_CACHE = {
  length: LENGTH,
  code: CODE,
  covered: COVERED,
  half: COVERED / 2,
  shift: SHIFT,
  placeShift: 3,
} as const
/** Longer strings are no names. */
const MAX_LENGTH = 64

/** The bytes of strings by code, see StringTable. */
interface Texts {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
}

/** Odd factors that senders do not know, so that names cannot be chosen to displace each other. */
export const NAME_FACTORS: readonly number[] = [...crypto.getRandomValues(new Int32Array(5))].map(
  (factor) => factor | 1,
)
const [A = 1, B = 1, C = 1, D = 1, E = 1] = NAME_FACTORS

/**
 * Codes of the names that datagrams repeat in every record, found without a look at each byte: an entry holds the first and the last
 * eight bytes of the name as words, so names of up to 16 bytes (interfaces) are compared by four words.
 *
 * Direct-mapped: a name displaces the one before it in its place, so the size is fixed. Measured: a 14-byte name 9 ns, with a
 * hash and a comparison byte by byte 50.
 */
export class NameCache {
  readonly entries = new Int32Array(WORDS << PLACE_BITS)

  /** The code that was put for `view[start .. start + length)`, or -1. */
  find(view: DataView, start: number, length: number, texts: Texts): number {
    if (length < 4 || length > MAX_LENGTH) return -1
    const { entries } = this
    const w0 = view.getInt32(start)
    const w3 = view.getInt32(start + length - 4)
    const w1 = length > 8 ? view.getInt32(start + 4) : w3
    const w2 = length > 8 ? view.getInt32(start + length - 8) : w0
    const at = this.place(w0, w1, w2, w3, length)
    if (
      entries[at] !== w0 ||
      entries[at + 1] !== w1 ||
      entries[at + 2] !== w2 ||
      entries[at + 3] !== w3 ||
      entries[at + LENGTH] !== length
    )
      return -1
    const code = entries[at + CODE]!
    return length <= COVERED || sameMiddle(view, start, length, texts, code) ? code : -1
  }

  /** Puts the code of a name. A longer name that is not just the bytes of its code is not put. */
  put(view: DataView, start: number, length: number, code: number, texts: Texts): void {
    if (length < 4 || length > MAX_LENGTH) return
    const { starts } = texts
    if (length > COVERED && (starts[code + 1]! - starts[code]! !== length || !sameMiddle(view, start, length, texts, code))) return // prettier-ignore
    const w0 = view.getInt32(start)
    const w3 = view.getInt32(start + length - 4)
    const w1 = length > 8 ? view.getInt32(start + 4) : w3
    const w2 = length > 8 ? view.getInt32(start + length - 8) : w0
    this.entries.set([w0, w1, w2, w3, length, code], this.place(w0, w1, w2, w3, length))
  }

  private place(w0: number, w1: number, w2: number, w3: number, length: number): number {
    const sum = (Math.imul(w0, A) + Math.imul(w1, B) + Math.imul(w2, C) + Math.imul(w3, D) + Math.imul(length, E)) | 0
    return (sum >>> SHIFT) * WORDS
  }
}

/** Whether what lies between the first and the last eight bytes is the same. */
function sameMiddle(view: DataView, start: number, length: number, { bytes, starts }: Texts, code: number): boolean {
  const from = starts[code]!
  for (let i = 8; i < length - 8; i++) if (bytes[from + i] !== view.getUint8(start + i)) return false
  return true
}
