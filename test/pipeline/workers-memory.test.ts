import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import type * as Koffi from 'koffi'
import { giveBack, mapLarge } from '../../src/pipeline/workers/memory.ts'

const MIB = 1024 ** 2

interface Glibc {
  malloc: (bytes: number) => unknown
  free: (at: unknown) => void
  /** Bytes that are mapped by themselves. */
  mapped: () => number
}

function glibc(): Glibc | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
    const words = ['arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks', 'uordblks', 'fordblks', 'keepcost'] // prettier-ignore
    const info = koffi.struct(Object.fromEntries(words.map((word) => [word, 'size_t'])))
    const library = koffi.load(null)
    const read = library.func('mallinfo2', info, []) as () => { hblkhd: number | bigint }
    return {
      malloc: library.func('void *malloc(size_t)') as Glibc['malloc'],
      free: library.func('void free(void *)') as Glibc['free'],
      mapped: () => Number(read().hblkhd),
    }
  } catch {
    return undefined
  }
}

const libc = glibc()

describe('memory of workers', { skip: libc === undefined && 'needs glibc and koffi' }, () => {
  it('is mapped by itself where it is large, also after such was freed, so that it goes back to the machine', () => {
    const { malloc, free, mapped } = libc!
    mapLarge()
    for (let again = 0; again < 3; again++) {
      const before = mapped()
      const block = malloc(8 * MIB)
      assert.ok(mapped() >= before + 8 * MIB, `time ${again}`)
      free(block)
      assert.ok(mapped() < before + 8 * MIB)
      giveBack()
    }
  })
})
