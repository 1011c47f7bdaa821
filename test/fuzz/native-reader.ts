/** A reader of ClickHouse's Native format that knows no more than the format: every byte of a block has to be of a column. */
const WIDTHS: readonly (readonly [RegExp, number])[] = [
  [/^(UInt8|Enum8\(.*\))$/s, 1],
  [/^UInt16$/, 2],
  [/^UInt32$/, 4],
  [/^(UInt64|Float64|DateTime64\(3.*\))$/, 8],
  [/^IPv6$/, 16],
]

/** Columns and rows of the block, which must end where the bytes end. */
export function readNative(bytes: Uint8Array): { columns: string[]; rows: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = view.getUint8(at++)
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  const u64 = () => {
    at += 8
    return Number(view.getBigUint64(at - 8, true))
  }
  const text = () => {
    const length = varint()
    at += length
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(at - length, at))
  }
  const columns = varint()
  const rows = varint()
  const names: string[] = []
  for (let i = 0; i < columns; i++) {
    names.push(text())
    const type = text()
    const width = WIDTHS.find(([pattern]) => pattern.test(type))?.[1]
    if (width !== undefined) at += width * rows
    else if (type === 'LowCardinality(String)') {
      if (u64() !== 1) throw new Error('a dictionary of an unknown version')
      const indexWidth = 1 << (u64() & 255)
      const keys = u64()
      for (let key = 0; key < keys; key++) text()
      if (u64() !== rows) throw new Error('a text column of other rows')
      for (let row = 0; row < rows; row++, at += indexWidth) {
        const index =
          indexWidth === 1 ? view.getUint8(at) : indexWidth === 2 ? view.getUint16(at, true) : view.getUint32(at, true)
        if (index >= keys) throw new Error(`index ${index} of ${keys} keys`)
      }
    } else throw new Error(`type ${type}`)
  }
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes behind the block`)
  return { columns: names, rows }
}
