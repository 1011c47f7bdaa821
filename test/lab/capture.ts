/** What reaches the collector, as a pcap file. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { COLLECTOR } from './cloud.ts'
import { COLLECTOR_PORTS } from './exports.ts'
import { MIRROR_VXLAN_PORT } from './mirror.ts'
import { CommandFailed, PROMPT, run, succeeds, within } from './shell.ts'

const FILTER = [...Object.values(COLLECTOR_PORTS), MIRROR_VXLAN_PORT]
  .map((port) => `udp dst port ${port}`)
  .concat('ip proto 47')
  .join(' or ')

export interface Capture {
  /** Ends it; the file is complete when this resolves. */
  stop(): Promise<void>
}

/** A ring of so many KiB, in frames of so many bytes: they hold what comes while the machine is busy. */
const RING = ['-B', '65536', '-s', '2048']

/** Start tcpdump in the collector's namespace; it captures when this resolves. */
export async function startCapture(file: string): Promise<Capture> {
  const argv = within(COLLECTOR.namespace, ...PROMPT, 'tcpdump', '-Z', 'root', '-n', '-U', '--immediate-mode', ...RING, '-i', COLLECTOR.device, '-w', file, FILTER) // prettier-ignore
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('listening on')) resolve()
    })
    child.once('exit', () => reject(new CommandFailed(argv, said)))
  })
  return {
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      await ended
      assert.match(said, /^0 packets dropped by kernel/m, 'the capture is whole')
    },
  }
}

/**
 * Answer nothing where no collector listens. Otherwise the kernel's "port unreachable" reaches the exporter's connected socket,
 * whose next send fails: every other datagram would never be sent.
 */
export function silenceUnreachable(on: boolean): void {
  succeeds(within(COLLECTOR.namespace, 'nft', 'delete', 'table', 'inet', 'unreachable'))
  if (!on) return
  run(within(COLLECTOR.namespace, 'nft', '-f', '-'), {
    input: `table inet unreachable {
  chain output {
    type filter hook output priority 0
    icmp type destination-unreachable drop
  }
}`,
  })
}
