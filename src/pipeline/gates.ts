/** The gates of a collector, one for each UDP port: what is not allowed stays in the kernel, and is counted here. */
import type { Config } from '../config/options.ts'
import { Gate } from '../receive/gate.ts'
import { loadLibc } from '../receive/libc.ts'
import type { Readers } from '../telemetry/metrics.ts'
import type { BuiltPipeline } from './build.ts'
import { INPUTS, type Input } from './demultiplex.ts'
import { kindOf, optionsOf } from './listeners.ts'

export class Gates {
  private readonly gates: ReadonlyMap<Input, Gate>
  private built: BuiltPipeline | undefined

  private constructor(gates: ReadonlyMap<Input, Gate>) {
    this.gates = gates
  }

  /** Joins the ports of listeners, each with `sockets` sockets. None where datagrams come one by one, or the kernel has no groups. */
  static open(config: Config, listeners: ReadonlyMap<Input, { readonly port: number }>, sockets: number): Gates {
    const gates = new Map<Input, Gate>()
    const libc = kindOf(config) === 'dgram' ? '' : loadLibc()
    if (typeof libc !== 'string')
      for (const input of INPUTS) {
        const port = listeners.get(input)?.port ?? 0
        // A raw socket has no port.
        const gate = port === 0 ? undefined : Gate.open(libc, optionsOf(config, input, port), sockets)
        if (gate !== undefined) gates.set(input, gate)
      }
    return new Gates(gates)
  }

  /** What gathers at the gates is fed to a pipeline, which knows who may send; in it is counted what the kernel dropped there. */
  start(built: BuiltPipeline): void {
    this.built = built
    this.follow()
    for (const [input, gate] of this.gates)
      gate.start({
        onBatch: (batch) => built.pipeline.feed(input, batch),
        onDropped: (datagrams) => (built.pipeline.counters.dropped.not_allowed += datagrams),
      })
  }

  /** Who may send has changed. Where hosts of the model may too, or ranges are very many, the pipeline alone decides. */
  follow(): void {
    const ranges = this.built?.pipeline.parts.admission.only
    for (const gate of this.gates.values()) if (!gate.allow(ranges)) gate.allow(undefined)
  }

  close(): void {
    for (const gate of this.gates.values()) gate.close()
  }

  /** Datagrams at the gates are received, too. */
  get readers(): Readers {
    const { gates } = this
    return {
      ovsight_receive_datagrams_total: () => [...gates].map(([input, { received }]) => [received, input]),
      ovsight_receive_bytes_total: () => [...gates].map(([input, { bytes }]) => [bytes, input]),
    }
  }
}
