/** From what was found for a chunk of rows to its columns, a column at a time. */
import type { BatchMemory, FlowBatch } from '../schema/batch.ts'
import { END_OF_KIND } from './codes.ts'
import { COUNTS, type Found } from './found.ts'
import type { Names } from './names.ts'
import { trafficClass } from './traffic-class.ts'

/** Writes names, kinds and classes of rows `row … row + n − 1`. */
export function writeRows(batch: FlowBatch, row: number, n: number, found: Found, names: Names): void {
  const { memory, base } = batch
  names.write(memory, base + row, n, found)
  writeKinds(names, memory, base + row, n, found.sources, found.destinations)
  writeAnswers(memory, base + row, n, found)
}

function writeKinds(
  names: Names,
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
    u8[from + i] = END_OF_KIND[names.kind(source)]!
    u8[to + i] = END_OF_KIND[names.kind(destination)]!
    u8[traffic + i] = trafficClass(names, source, destination)
  }
}

/** As blocks, through the memory's views. */
function writeAnswers({ u8, u16, layout }: BatchMemory, row: number, n: number, found: Found): void {
  const { first } = layout
  u8.set(found.sourceGrades.subarray(0, n), first.src_grade + row)
  u8.set(found.destinationGrades.subarray(0, n), first.dst_grade + row)
  u8.set(found.sourceEvidence.subarray(0, n), first.src_evidence + row)
  u8.set(found.destinationEvidence.subarray(0, n), first.dst_evidence + row)
  u16.set(found.sourceCandidates.subarray(0, n), first.src_candidates + row)
  u16.set(found.destinationCandidates.subarray(0, n), first.dst_candidates + row)
  u8.set(found.roles.subarray(0, n), first.role + row)
  const sent = first.counts_sent + row
  const received = first.counts_received + row
  const once = first.counts_once + row
  const { counts } = found
  for (let i = 0; i < n; i++) {
    const bits = counts[i]!
    u8[sent + i] = bits & COUNTS.sent
    u8[received + i] = (bits & COUNTS.received) >> 1
    u8[once + i] = (bits & COUNTS.once) >> 2
  }
}
