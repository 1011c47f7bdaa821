/** One measured run: the truth and the exports of the same traffic. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { NODES, identityYaml } from './cloud.ts'
import { silenceUnreachable, startCapture } from './capture.ts'
import { endFlows } from './exports.ts'
import { dumpDatabase } from './openvswitch.ts'
import { sleep } from './shell.ts'
import {
  difference,
  readCounters,
  runTraffic,
  sameCounters,
  settledCounters,
  truthText,
  type Truth,
} from './traffic.ts'

export interface MeasureOptions {
  /** Multiplies the traffic. */
  factor?: number
  /** How long the exporters may keep records back: the IPFIX cache timeout and a little. */
  flushMs?: number
  /** Switches the exports on, while nothing moves, so that they and the counters begin at the same frame. */
  begin?: () => void | Promise<void>
}

/** Run the traffic between two readings of the counters, then wait until the exporters have sent all they know about it. */
export async function measure({ factor = 1, flushMs = 7000, begin }: MeasureOptions = {}): Promise<Truth> {
  const before = await beginQuietly(begin)
  await runTraffic(factor)
  for (;;) {
    const after = await settledCounters()
    for (const node of NODES) endFlows(node)
    await sleep(flushMs)
    // A frame during the wait is in the counters or in the exports, but perhaps not in both: wait again.
    if (sameCounters(after, readCounters())) return difference(before, after)
  }
}

/** The counters at which `begin` happened; it is done again when a frame came in between. */
async function beginQuietly(begin: MeasureOptions['begin']): Promise<Truth> {
  for (;;) {
    const before = await settledCounters()
    await begin?.()
    if (sameCounters(before, readCounters())) return before
  }
}

/**
 * A folder like those of pcaps/: capture, truth, the nodes' databases and the identity file. The capture runs before `begin`
 * switches the exports on, so that it has their first templates.
 */
export async function record(folder: string, options: MeasureOptions): Promise<Truth> {
  mkdirSync(folder, { recursive: true })
  silenceUnreachable(true)
  const capture = await startCapture(`${folder}/capture.pcap`)
  try {
    const truth = await measure(options)
    writeFileSync(`${folder}/truth.txt`, truthText(truth))
    for (const node of NODES) writeFileSync(`${folder}/ovsdb-${node.name}.json`, dumpDatabase(node))
    writeFileSync(
      `${folder}/identity.yaml`,
      identityYaml((node) => `ovsdb-${node.name}.json`),
    )
    return truth
  } finally {
    await capture.stop()
    silenceUnreachable(false)
  }
}
