import { cpus, release, totalmem } from 'node:os'
import Table from 'cli-table3'
import type { Figure } from './figure.ts'

/** The machine the figures come from. */
export function machine(): Readonly<Record<string, string>> {
  const [cpu] = cpus()
  return {
    cpu: cpu?.model.trim() ?? 'unknown',
    cores: String(cpus().length),
    memory: `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    node: process.version,
    v8: process.versions.v8,
    kernel: `${process.platform} ${release()} ${process.arch}`,
  }
}

/** Whether a figure reaches its target; true where there is none. */
export function reached({ value, target, atMost }: Figure): boolean {
  if (target === undefined) return true
  return atMost === true ? value <= target : value >= target
}

/** The table of figures of one bench, targets beside what was seen. */
export function figureTable(figures: readonly Figure[]): string {
  const table = new Table({ head: ['measured', 'seen', 'target', '', 'note'], style: { head: [], border: [] } })
  for (const figure of figures) {
    const { name, value, unit, target, atMost, note = '' } = figure
    const wanted = target === undefined ? '' : `${atMost === true ? '≤' : '≥'} ${target} ${unit}`
    const verdict = target === undefined ? '' : reached(figure) ? 'reached' : 'MISSED'
    table.push([name, `${rounded(value)} ${unit}`, wanted, verdict, note])
  }
  return table.toString()
}

function rounded(value: number): string {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3)
}
