/** What a process holds, looked at again and again: whether it grows. */
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

export interface Look {
  atS: number
  /** Resident memory as it was found, and after its main thread collected its garbage. */
  foundMiB: number
  residentMiB: number
  engineMiB: number
  heapMiB: number
  descriptors: number
  handles: number
  diskMiB: number
}

/**
 * Options of tables that a flood fills, small enough to be full within the first minutes: what grows in the second half is none of them.
 * By default they have room for more than a soak brings, so they would be filled for as long as it lasts.
 */
export const SMALL = {
  max_streams: '2048',
  max_interfaces: '2048',
  max_templates: '8192',
  template_wait: '2m',
} as const

/** How full they and the rest of what waits are, by the metrics. */
const FILLED = {
  streams: 'ovsight_sequence_streams',
  interfaces: 'ovsight_interfaces',
  templates: 'ovsight_templates',
  'sets that wait': 'ovsight_sets_waiting',
  'late rows': 'ovsight_late_rows',
} as const

/** `streams 4096, …`: what the tables hold now, in all threads. */
export function filled(page: ReadonlyMap<string, number>): string {
  return Object.entries(FILLED).map(([what, metric]) => `${what} ${page.get(metric) ?? 0}`).join(', ') // prettier-ignore
}

/** Resident memory; 0 for a process that is gone. */
export function residentMiB(pid: number): number {
  return number(/^VmRSS:\s+(\d+)/m.exec(readOrNothing(`/proc/${pid}/status`))?.[1]) / 1024
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** The engine of a collector: its only child. */
export function engineOf(pid: number): number {
  return number(readOrNothing(`/proc/${pid}/task/${pid}/children`).trim().split(' ')[0])
}

/** What lies under a directory; files that go while it is looked at are passed over. */
export function diskMiB(directory: string): number {
  // du(1) says what it could not read, and sums up the rest.
  return number(spawnSync('du', ['-sk', directory], { encoding: 'utf8' }).stdout.split('\t')[0]) / 1024
}

/** By least squares over the second half of the looks, by the minute. */
export function slope(looks: readonly Look[], of: keyof Look): number {
  const half = looks.slice(looks.length >> 1)
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(half.map(({ atS }) => atS)), mean(half.map((look) => look[of]))]
  const spread = half.reduce((sum, { atS }) => sum + (atS - x) ** 2, 0)
  const both = half.reduce((sum, look) => sum + (look.atS - x) * (look[of] - y), 0)
  return spread === 0 ? 0 : (60 * both) / spread
}

function number(text: string | undefined): number {
  return Number(text ?? 0)
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
