/** A pipeline for tests: real NetFlow v5, whatever else a test gives, blocks kept in memory. */
import type { Decoder, Protocol } from '../../src/decode/decoder.ts'
import { PROTOCOLS } from '../../src/decode/decoder.ts'
import { Netflow5Decoder } from '../../src/decode/netflow5.ts'
import { parseIp } from '../../src/identity/addresses.ts'
import { STATUS } from '../../src/decode/status.ts'
import type { Decoders } from '../../src/pipeline/demultiplex.ts'
import { Admission } from '../../src/pipeline/admission.ts'
import type { Known } from '../../src/pipeline/health.ts'
import { ExporterTable } from '../../src/pipeline/exporters.ts'
import { Observations } from '../../src/pipeline/observations.ts'
import { Clocks } from '../../src/pipeline/clocks.ts'
import { RecordLimit } from '../../src/pipeline/record-limit.ts'
import { Pipeline, type PipelineLimits, type PipelineParts } from '../../src/pipeline/pipeline.ts'
import type { NativeBlock } from '../../src/schema/native.ts'

/** A decoder that refuses everything. */
export function refusing(protocol: Protocol): Decoder {
  return { protocol, decode: () => STATUS.bad_version }
}

export function testPipeline(parts: Partial<PipelineParts> = {}, limits: Partial<PipelineLimits> = {}): Pipeline {
  const max = 64
  const exporters = parts.exporters ?? new ExporterTable({ max, idleMs: 1e9 })
  const observations = new Observations(exporters, {
    maxExporters: max,
    maxStreams: 256,
    maxInterfaces: 64,
    idleMs: 1e9,
  })
  const decoders = {
    ...Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, refusing(protocol)])),
    netflow5: new Netflow5Decoder(observations),
    ...parts.decoders,
  } as Decoders
  return new Pipeline(
    {
      holding: [],
      attribute: () => {},
      emit: () => Promise.resolve(),
      admission: new Admission({ allow: [] }),
      exporters,
      observations,
      recordLimit: new RecordLimit(0, max),
      clocks: new Clocks({ rule: 'trust', pastMs: 3_600_000, futureMs: 60_000 }, max),
      ...parts,
      decoders,
    },
    { batchRows: 16_448, flushAfterMs: 1e15, maxBlocks: 4, exporterIdleMs: 1e9, ...limits },
  )
}

/** No host has a name, no clock was told, there are no templates. */
export const NOTHING_KNOWN: Known = { host: () => '', clockOffset: () => NaN, templates: () => 0 }

/** Keeps what a pipeline emits. */
export function collectBlocks() {
  const kept = {
    rows: 0,
    tokens: [] as string[],
    bytes: [] as Uint8Array[],
    take(block: NativeBlock, token = ''): Promise<void> {
      kept.rows += block.rows
      kept.tokens.push(token)
      kept.bytes.push(block.bytes.slice())
      return Promise.resolve()
    },
  }
  return kept
}

/** Lanes of an address, as in an `ip` column. */
export function lanesOf(address: string): Uint32Array {
  return Uint32Array.from(parseIp(address)!)
}
