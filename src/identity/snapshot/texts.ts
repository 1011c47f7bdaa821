/** Many texts as memory that threads share: each text once, read when it is first needed. */

export interface PackedTexts {
  /** By place: which text. */
  readonly ids: Uint32Array
  /** Text n is `bytes[offsets[n] .. offsets[n + 1])`, UTF-8. */
  readonly offsets: Uint32Array
  readonly bytes: Uint8Array
}

/** Packs the first `count` texts. */
export function packTexts(texts: readonly string[], count = texts.length): PackedTexts {
  const numbers = new Map<string, number>()
  const ids = new Uint32Array(new SharedArrayBuffer(count * 4))
  let most = 0
  for (let i = 0; i < count; i++) {
    const text = texts[i]!
    let id = numbers.get(text)
    if (id === undefined) {
      id = numbers.size
      numbers.set(text, id)
      // A UTF-16 unit is three bytes of UTF-8 at most.
      most += text.length * 3
    }
    ids[i] = id
  }
  const offsets = new Uint32Array(new SharedArrayBuffer((numbers.size + 1) * 4))
  const scratch = Buffer.allocUnsafe(most)
  let at = 0
  let id = 0
  for (const text of numbers.keys()) {
    offsets[id++] = at
    at += scratch.write(text, at)
  }
  offsets[id] = at
  const bytes = new Uint8Array(new SharedArrayBuffer(at))
  bytes.set(scratch.subarray(0, at))
  return { ids, offsets, bytes }
}

/** Text at a place, '' where there is none. */
export function textAt(packed: PackedTexts | undefined, place: number): string {
  if (packed === undefined || place >= packed.ids.length) return ''
  const { ids, offsets, bytes } = packed
  const id = ids[place]!
  const start = offsets[id]!
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, offsets[id + 1]! - start).toString()
}
