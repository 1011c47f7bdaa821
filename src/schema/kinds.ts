/**
 * The kinds a column can have: how a value lies in the batch, and what ClickHouse calls it.
 *
 * Columns are the wire image of ClickHouse's Native format on a little-endian machine, so encoding is a copy.
 * 64-bit values are two u32 lanes a row (low, high); addresses four u32 lanes holding the 16 bytes in network order
 * (IPv4 as ::ffff:a.b.c.d; all zero = not set); a MAC is a 48-bit number in a 64-bit column (low 32, high 16);
 * a time is milliseconds since 1970 in 64 bits; a text is the code of a string in the batch's StringTable (0 = '');
 * an enum is the index into its values.
 */
export const KINDS = {
  u8: { lanes: 1, array: Uint8Array, clickhouse: 'UInt8' },
  u16: { lanes: 1, array: Uint16Array, clickhouse: 'UInt16' },
  u32: { lanes: 1, array: Uint32Array, clickhouse: 'UInt32' },
  u64: { lanes: 2, array: Uint32Array, clickhouse: 'UInt64' },
  f64: { lanes: 1, array: Float64Array, clickhouse: 'Float64' },
  ip: { lanes: 4, array: Uint32Array, clickhouse: 'IPv6' },
  mac: { lanes: 2, array: Uint32Array, clickhouse: 'UInt64' },
  time: { lanes: 2, array: Uint32Array, clickhouse: "DateTime64(3, 'UTC')" },
  text: { lanes: 1, array: Uint32Array, clickhouse: 'LowCardinality(String)' },
  enum: { lanes: 1, array: Uint8Array, clickhouse: 'Enum8' },
} as const

export type Kind = keyof typeof KINDS

export type ColumnArray<K extends Kind> = InstanceType<(typeof KINDS)[K]['array']>
