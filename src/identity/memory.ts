/**
 * Memory of the model's tables. Look-ups go anywhere in some hundred megabytes, so that with pages of 4 kB most of them wait for the page
 * table as well: large tables ask Linux for pages of 2 MB, where the npm package koffi is there. Measured on a virtual machine, 64 MB read
 * at random: 160 ns a read instead of 230.
 */
import { createRequire } from 'node:module'
import type * as Koffi from 'koffi'

/** A page of 2 MB has to fit into it. */
const LARGE_BYTES = 4 * 1024 * 1024
const LARGE_PAGE = 2 * 1024 * 1024
/** Words of a cache line. */
const LINE_WORDS = 16
const LINE_BYTES = 64n
const PAGE = 4096n
/** madvise(2). */
const MADV_HUGEPAGE = 14

type Words = Int32Array | Uint32Array | Float64Array
interface Memory {
  advise: (array: Words) => void
  addressOf: (array: Words) => bigint
}

const { advise, addressOf } = findMemory()

/** Signed words, all zero. */
export function newWords(length: number): Int32Array {
  return onLargePages(new Int32Array(length))
}

/** Signed words, all zero, the first of them at the start of a cache line: entries of a line each are read with one. */
export function newLines(length: number): Int32Array {
  const words = newWords(length + LINE_WORDS)
  const skipped = (LINE_WORDS - (Number(addressOf(words) % LINE_BYTES) >> 2)) % LINE_WORDS
  return words.subarray(skipped, skipped + length)
}

/** Asks for large pages for memory that was not touched yet. It is a wish: what cannot be had is done without. */
export function onLargePages<T extends Int32Array | Uint32Array | Float64Array>(array: T): T {
  if (array.byteLength >= LARGE_BYTES) advise(array)
  return array
}

/**
 * Has the kernel give the pages of memory that was not touched yet, one a slice: clearing one of 2 MB takes up to milliseconds, and a few
 * hundred keys of fresh tables touch them all. Measured: 190 ms in one slice of the layout of 200,000 ports without this.
 */
export function* touchPages(array: Int32Array | Float64Array): Generator<void, void> {
  const step = LARGE_PAGE / array.BYTES_PER_ELEMENT
  if (array.length < step) return
  for (let at = 0; at < array.length; at += step) {
    array[at] = 0
    yield
  }
}

/** The same elements with room for more behind them. */
export function longerWords(from: Int32Array, length: number): Int32Array {
  const to = newWords(length)
  to.set(from)
  return to
}

export function longerTimes(from: Float64Array, length: number): Float64Array {
  const to = new Float64Array(length)
  to.set(from)
  return to
}

function findMemory(): Memory {
  // Where large memory of the C library begins, whose own words come first.
  const unknown: Memory = { advise: () => {}, addressOf: () => 16n }
  if (process.platform !== 'linux') return unknown
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    const madvise = koffi.load(null).func('int madvise(uintptr_t, size_t, int)') as (
      address: bigint,
      length: bigint,
      advice: number,
    ) => number
    return {
      addressOf: (array) => koffi.address(array),
      advise: (array) => {
        const from = koffi.address(array)
        const first = (from + PAGE - 1n) & -PAGE
        const end = (from + BigInt(array.byteLength)) & -PAGE
        if (end > first) madvise(first, end - first, MADV_HUGEPAGE)
      },
    }
  } catch {
    return unknown
  }
}
