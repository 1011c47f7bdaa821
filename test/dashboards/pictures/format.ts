/** Values as Grafana writes them, near enough for a picture. */
import type { Unit } from '../../../dashboards/panel.ts'

const SI = ['', 'k', 'M', 'G', 'T', 'P']

const FIGURES: Readonly<Record<Exclude<Unit, 'text' | 'time'>, (value: number) => string>> = {
  bits_per_second: (value) => `${scaled(value)}b/s`,
  packets_per_second: (value) => `${scaled(value)}p/s`,
  records_per_second: (value) => `${scaled(value)}rec/s`,
  datagrams_per_second: (value) => `${scaled(value)}/s`,
  bytes: (value) => `${scaled(value)}B`,
  count: (value) => scaled(value).trim(),
  number: String,
  percent: (value) => `${shortened(value)} %`,
  share: (value) => `${shortened(value * 100)} %`,
  seconds: (value) => `${shortened(value)} s`,
}

export function formatted(value: unknown, unit: Unit): string {
  if (typeof value !== 'string' && typeof value !== 'number') return '–'
  if (unit === 'text') return String(value)
  if (unit === 'time') return String(value).slice(11, 19)
  return FIGURES[unit](Number(value))
}

function scaled(value: number): string {
  let [rest, step] = [value, 0]
  while (Math.abs(rest) >= 1000 && step < SI.length - 1) {
    rest /= 1000
    step++
  }
  return `${shortened(rest)} ${SI[step]!}`
}

function shortened(value: number): string {
  return Number(value.toPrecision(3)).toString()
}
