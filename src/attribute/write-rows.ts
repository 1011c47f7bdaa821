/** From what was found for a chunk of rows to its columns, a column at a time. */
import type { Endpoints } from '../identity/snapshot/endpoints.ts'
import type { BatchMemory, FlowBatch } from '../schema/batch.ts'
import { END_OF_KIND } from './codes.ts'
import type { Found } from './found.ts'
import type { Names } from './names.ts'
import { trafficClass } from './traffic-class.ts'

/** Writes names, kinds and classes of rows `row … row + n − 1`. */
export function writeRows(batch: FlowBatch, row: number, n: number, found: Found, names: Names): void {
  const { memory, base } = batch
  names.write(memory, base + row, n, found)
  writeKinds(names.snapshot.endpoints, memory, base + row, n, found.sources, found.destinations)
}

function writeKinds(
  endpoints: Endpoints,
  { u8, layout }: BatchMemory,
  row: number,
  n: number,
  sources: Int32Array,
  destinations: Int32Array,
): void {
  const from = layout.first.src_kind + row
  const to = layout.first.dst_kind + row
  const traffic = layout.first.traffic_class + row
  for (let i = 0; i < n; i++) {
    const source = sources[i]!
    const destination = destinations[i]!
    u8[from + i] = END_OF_KIND[endpoints.kind(source)]!
    u8[to + i] = END_OF_KIND[endpoints.kind(destination)]!
    u8[traffic + i] = trafficClass(endpoints, source, destination)
  }
}
