/** What is missing of what an exporter sent, as a sentence for people. */
import type { Completeness } from './completeness.ts'

/** As people call them. */
const PROTOCOL_NAMES: Readonly<Record<string, string>> = {
  netflow5: 'NetFlow v5',
  netflow9: 'NetFlow v9',
  ipfix: 'IPFIX',
  sflow5: 'sFlow',
  gre: 'mirror through GRE',
  vxlan: 'mirror through VXLAN',
}
/** What is missing of one exporter; undefined when nothing is. */
export function sentence(one: Completeness): string | undefined {
  if (one.exporter === '') return nobody(one)
  const where = one.host === '' ? one.exporter : `${one.host} (${one.exporter})`
  const who = `${where}: ${PROTOCOL_NAMES[one.protocol] ?? one.protocol}`
  const reasons = reasonsOf(one)
  if (one.percent === null && one.mixed > 0)
    return `${who}: how much is missing cannot be said, two bridges share one sequence of numbers; give each bridge its own engine_id or observation domain`
  if (one.missing === 0 || one.percent === null)
    return reasons.length === 0 ? undefined : `${who}: ${reasons.join('; ')}`
  const counts = `${count(one.missing)} of ${count(one.expected)} ${one.unit} are missing`
  return `${who} is ${percentText(one.percent)} complete: ${[counts, ...reasons].join('; ')}`
}

function reasonsOf(one: Completeness): string[] {
  const { lost, undecoded, faults, kernel_drops, overload_drops, datapath_lost, unsent, limited, clock_moved } = one
  const faultNames = faults === '' ? '' : ` (${faults})`
  return [
    ...(lost > 0 ? [`${count(lost)} never arrived`] : []),
    ...(kernel_drops > 0 ? [`the socket dropped ${many(kernel_drops, 'datagram')} (receive_buffer)`] : []),
    ...(overload_drops > 0 ? [`${many(overload_drops, 'datagram')} dropped under overload`] : []),
    ...(undecoded > 0 ? [`${many(undecoded, 'datagram')} could not be read${faultNames}`] : []),
    ...(datapath_lost > 0 ? [`its datapath lost ${many(datapath_lost, 'packet')} before they were sampled`] : []),
    ...(unsent > 0 ? [`records of ${many(unsent, 'packet')} were not sent`] : []),
    ...(limited > 0 ? [`the rate limit left out ${many(limited, 'record')}, the others stand for them (exporter_limit)`] : []), // prettier-ignore
    ...(clock_moved > 0 ? [`its clock is off, the times of ${many(clock_moved, 'record')} were moved (exporter_clocks)`] : []), // prettier-ignore
  ]
}

function nobody({ refused_drops, kernel_drops, rows_dropped }: Completeness): string | undefined {
  const reasons = [
    ...(refused_drops > 0
      ? [`${many(refused_drops, 'datagram')} of further exporters were dropped (max_exporters)`]
      : []),
    ...(kernel_drops > 0 ? [`sockets dropped ${many(kernel_drops, 'datagram')}, it is not known whose`] : []),
    ...(rows_dropped > 0 ? [`${many(rows_dropped, 'row')} were lost on their way into the store`] : []),
  ]
  return reasons.length === 0 ? undefined : reasons.join('; ')
}

/** Not rounded up to 100. */
function percentText(percent: number): string {
  return `${percent >= 99.995 ? '99.99' : (Math.floor(percent * 100) / 100).toFixed(percent < 99 ? 1 : 2)} %`
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

function many(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? '' : 's'}`
}
