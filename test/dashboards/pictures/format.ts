/** Values as Grafana writes them, near enough for a picture. */
import type { Unit } from '../../../dashboards/panel.ts'

const SI = ['', 'k', 'M', 'G', 'T', 'P']

export function formatted(value: unknown, unit: Unit): string {
  if (value === null || value === undefined) return '–'
  if (unit === 'text') return String(value)
  if (unit === 'time') return String(value).slice(11, 19)
  const number = Number(value)
  switch (unit) {
    case 'bits_per_second':
      return `${scaled(number)}b/s`
    case 'packets_per_second':
      return `${scaled(number)}p/s`
    case 'records_per_second':
      return `${scaled(number)}rec/s`
    case 'datagrams_per_second':
      return `${scaled(number)}datagrams/s`
    case 'bytes':
      return `${scaled(number)}B`
    case 'percent':
      return `${shortened(number)} %`
    case 'share':
      return `${shortened(number * 100)} %`
    case 'seconds':
      return `${shortened(number)} s`
    case 'number':
      return String(number)
    case 'count':
      return scaled(number).trim()
  }
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
