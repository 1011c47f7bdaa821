/** The same flood without sockets: straight into a pipeline, for what decoding and refusing cost and keep. */
import { loadConfig } from '../../src/config/load.ts'
import { parseIp } from '../../src/identity/addresses.ts'
import { buildPipeline, type BuiltPipeline } from '../../src/pipeline/build.ts'
import { EMPTY_SNAPSHOT } from '../../src/identity/snapshot/build.ts'
import { pipelineReaders } from '../../src/pipeline/readings.ts'
import { SideRows } from '../../src/pipeline/side-rows.ts'
import { BATCH_DATAGRAMS, newBatch } from '../../src/receive/arena.ts'
import { createRegistry } from '../../src/telemetry/registry.ts'
import { SampledLog } from '../../src/telemetry/sampled-log.ts'
import { Flood, LONGEST } from './datagrams.ts'

const SIDE_MS = 10_000

export class DirectFlood {
  readonly built: BuiltPipeline
  /** Bytes of log lines. */
  logBytes = 0
  private readonly batch = newBatch(BATCH_DATAGRAMS * LONGEST)
  private readonly made: Flood
  /** What is counted beside the flows is taken as a collector does, and thrown away. */
  private readonly side: SideRows

  private constructor(made: Flood, allow: readonly string[]) {
    this.made = made
    const { config } = loadConfig({ flags: { allow: [...allow] } })
    const warn = (about: object, text: string) => void (this.logBytes += JSON.stringify(about).length + text.length)
    this.built = buildPipeline(config, {
      attribute: () => undefined,
      emit: (block) => Promise.resolve(block.release()),
      log: new SampledLog({ warn } as never),
    })
    this.side = new SideRows(this.built, { snapshot: () => EMPTY_SNAPSHOT }, SIDE_MS)
  }

  static async open(allow: readonly string[] = []): Promise<DirectFlood> {
    return new DirectFlood(await Flood.open(), allow)
  }

  /** Floods with so many datagrams from so many addresses; µs of CPU for each, the making of them left out. */
  async run(datagrams: number, sources: number): Promise<number> {
    const { batch, built, made } = this
    let us = 0
    for (let sent = 0; sent < datagrams; sent += BATCH_DATAGRAMS) {
      const { input, make } = made.burst()
      for (let i = 0; i < BATCH_DATAGRAMS; i++) {
        batch.start[i] = i * LONGEST
        batch.end[i] = i * LONGEST + make(batch.view, i * LONGEST)
        batch.source.set(parseIp('::ffff:127.0.0.0')!, i * 4)
        new DataView(batch.source.buffer).setUint32(i * 16 + 12, made.source(sources))
        batch.sourcePort[i] = 1024 + i
      }
      batch.count = BATCH_DATAGRAMS
      batch.receivedMs = Date.now()
      const before = process.cpuUsage()
      built.pipeline.feed(input, batch)
      if ((sent / BATCH_DATAGRAMS) % 64 === 0) {
        built.pipeline.tick(Date.now())
        this.side.tick(Date.now())
      }
      const { user, system } = process.cpuUsage(before)
      us += user + system
      await Promise.resolve()
    }
    return us / datagrams
  }

  /** What /metrics says of the pipeline. */
  metrics(): Promise<string> {
    return createRegistry(pipelineReaders(this.built)).metrics()
  }
}
