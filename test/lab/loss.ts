/** Loses a known share of the export datagrams on their way into the collector, after the point where `capture` sees them. */
import { COLLECTOR } from './cloud.ts'
import { COLLECTOR_PORTS, EXPORT_KINDS, type ExportKind } from './exports.ts'
import { run, succeeds, within } from './shell.ts'

export interface Loss {
  kind: ExportKind
  /** Datagrams that came. */
  datagrams: number
  /** Of those, lost on purpose. */
  lost: number
}

const TABLE = ['table', 'inet', 'loss']
const nft = (args: string[], input = ''): string => run(within(COLLECTOR.namespace, 'nft', ...args), { input })

/**
 * Lose `percent` of each kind's datagrams. `random` draws for each; else exactly every (100/percent)th goes, for which `percent`
 * must divide 100, and the first stays: the loss of a stream's first datagram cannot be known. Counting starts anew.
 */
export function injectLoss(kinds: readonly ExportKind[], percent: number, random: boolean): void {
  stopLoss()
  const every = 100 / percent
  if (!random && !Number.isInteger(every)) throw new Error(`${percent} % is not one in a whole number`)
  const choice = random
    ? `numgen random mod 10000 < ${Math.round(percent * 100)}`
    : `numgen inc mod ${every} == ${every - 1}`
  const rules = kinds.map((kind) => {
    const match = `udp dport ${COLLECTOR_PORTS[kind]}`
    return `    ${match} counter comment "${kind} came"\n    ${match} ${choice} counter drop comment "${kind} lost"`
  })
  nft(
    ['-f', '-'],
    `${TABLE.join(' ')} {\n  chain input {\n    type filter hook input priority -300\n${rules.join('\n')}\n  }\n}`,
  )
}

export const stopLoss = (): void => {
  succeeds(within(COLLECTOR.namespace, 'nft', 'delete', ...TABLE))
}

interface Ruleset {
  nftables: { rule?: { comment?: string; expr: { counter?: { packets: number } }[] } }[]
}

/** What was lost since `injectLoss`, for each kind it was told. */
export function lossSoFar(): Loss[] {
  if (!succeeds(within(COLLECTOR.namespace, 'nft', 'list', ...TABLE))) return []
  const { nftables } = JSON.parse(nft(['-j', 'list', ...TABLE])) as Ruleset
  const count = (comment: string): number | undefined =>
    nftables.find((each) => each.rule?.comment === comment)?.rule?.expr.find((each) => each.counter !== undefined)
      ?.counter?.packets
  return EXPORT_KINDS.flatMap((kind) => {
    const datagrams = count(`${kind} came`)
    return datagrams === undefined ? [] : [{ kind, datagrams, lost: count(`${kind} lost`) ?? 0 }]
  })
}
