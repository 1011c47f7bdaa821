/**
 * Fresh starts: a collector as it is run, and so many damaged datagrams over its sockets, from nothing on. What survived: it answers,
 * decodes the next sound datagram, has kept its log short, and ends when it is told to.
 *
 * As others were measured (nfcapd 1.7.1 survived 0 of 12, sfacctd 1.7.7 0, goflow2's sFlow 0): a quarter sound, the others with one to five changes.
 */
import { createSocket } from 'node:dgram'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { queueOf } from '../../bench/load/processes.ts'
import { collector } from '../e2e/cli.ts'
import { metric } from '../e2e/exports.ts'
import { mutate, randomOf } from './mutate.ts'
import { TARGETS } from './targets.ts'

/** Where the datagrams of a target go. */
const INPUTS = [
  { target: 'netflow5', input: 'netflow', name: 'NetFlow' },
  { target: 'netflow9', input: 'netflow', name: 'NetFlow' },
  { target: 'ipfix', input: 'ipfix', name: 'IPFIX' },
  { target: 'sflow5', input: 'sflow', name: 'sFlow' },
] as const
const BURST = 64
const LONG_BYTES = 500_000
const LONGEST = 65_507
const MOST_LOG = 100_000

export interface Start {
  sent: number
  received: number
  kernelDrops: number
  logBytes: number
  /** What was wrong; '' when it survived. */
  fault: string
}

/** One start with `datagrams` datagrams. */
export async function start(datagrams: number, seed: number): Promise<Start> {
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-start-'))
  const running = await collector(['--data', directory])
  const socket = createSocket('udp4')
  const report: Start = { sent: 0, received: 0, kernelDrops: 0, logBytes: 0, fault: '' }
  try {
    const random = randomOf(seed)
    const inputs = await Promise.all(
      INPUTS.map(async ({ target: name, ...to }) => {
        const target = TARGETS.find((one) => one.name === name)!
        return { target, seeds: await target.seeds(), port: running.port(to.name), input: to.input }
      }),
    )
    const send = (bytes: Uint8Array, port: number) =>
      new Promise<void>((done) => socket.send(bytes, port, '127.0.0.1', () => done()))
    for (let sent = 0; sent < datagrams; sent++) {
      const { target, seeds, port, input } = inputs[random(inputs.length)]!
      const one = seeds[random(seeds.length)]!
      const sound = random(4) === 0
      const bytes = sound ? one : mutate(one, seeds[random(seeds.length)]!, random, target.repair)
      await send(bytes.subarray(0, LONGEST), port)
      report.sent++
      if (sent % BURST === 0) while (queueOf(input, port).queuedBytes > LONG_BYTES) await sleep(1)
    }
    const total = async (name: string) => {
      const values = await Promise.all(['netflow', 'ipfix', 'sflow'].map((listener) => metric(running.url, `${name}{listener="${listener}"}`))) // prettier-ignore
      return values.reduce((sum, value) => sum + value, 0)
    }
    for (let waited = 0; waited < 100; waited++, await sleep(50)) {
      report.received = await total('ovsight_receive_datagrams_total')
      report.kernelDrops = await total('ovsight_receive_kernel_drops_total')
      if (report.received + report.kernelDrops >= report.sent) break
    }
    const rows = () => metric(running.url, 'ovsight_rows_total{protocol="netflow5"}')
    const before = await rows()
    const [netflow5] = inputs
    await send(netflow5!.seeds[0]!, netflow5!.port)
    for (let waited = 0; (await rows()) === before && waited < 100; waited++) await sleep(50)
    if ((await rows()) === before) report.fault = 'it decodes nothing any more'
    if (report.received + report.kernelDrops !== report.sent)
      report.fault = `of ${report.sent} sent ${report.received} were received and ${report.kernelDrops} dropped`
  } catch (error) {
    report.fault = String(error)
  }
  socket.close()
  const { code, stderr, stdout } = await running.stop()
  report.logBytes = stderr.length + stdout.length
  if (code !== 0) report.fault = `it ended with ${code}: ${stderr.slice(-2000)}`
  if (report.logBytes > MOST_LOG) report.fault ||= `${report.logBytes} bytes of log`
  rmSync(directory, { recursive: true, force: true })
  return report
}
