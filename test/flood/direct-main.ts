/** `npm run flood -- --direct`: the flood straight into a pipeline, without sockets and store; see direct.ts. */
import { DirectFlood } from './direct.ts'

const MIB = 1024 ** 2
const WARM = 100_000

/** Prints what `datagrams` cost, open to everybody and behind an allow-list. */
export async function floodDirectly(datagrams: number, sources: number): Promise<void> {
  for (const [name, allow] of [
    ['open to everybody', []],
    ['behind an allow-list', ['10.0.0.0/8']],
  ] as const) {
    const flood = await DirectFlood.open(allow)
    await flood.run(WARM, sources)
    const before = process.memoryUsage.rss()
    const cpuUs = await flood.run(datagrams, sources)
    const grown = (process.memoryUsage.rss() - before) / MIB
    const page = await flood.metrics()
    console.log(`${name}: ${datagrams} datagrams, ${cpuUs.toFixed(2)} µs each, ${grown.toFixed(1)} MiB more, ${flood.logBytes} bytes of log, ${page.length} of metrics`) // prettier-ignore
  }
}
