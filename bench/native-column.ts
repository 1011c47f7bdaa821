/** One column more in a block of ClickHouse's Native format: columns that blocks do not have, since the store fills them. */

/** Appends a column whose data is `values` as they lie in memory. Fewer than 127 columns before. */
export function withColumn(
  { columns, bytes }: { columns: readonly string[]; bytes: Uint8Array },
  name: string,
  type: string,
  values: Uint16Array | Uint32Array,
): { columns: readonly string[]; bytes: Uint8Array } {
  const text = (word: string) => Buffer.from([word.length, ...Buffer.from(word)])
  const count = bytes[0]!
  if (count >= 127) throw new Error(`${count} columns: their number is longer than a byte`)
  const data = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  const all = Buffer.concat([Buffer.from([count + 1]), bytes.subarray(1), text(name), text(type), data])
  return { columns: [...columns, name], bytes: all }
}
