/** Numbers as people read them: three digits, a decimal unit, and never more than eight characters. */
const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const

/** `834 B`, `1.23 kB`, `539 kB`, `10.6 GB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 'B')
}

/** `834`, `12.3 k`, `1.20 M`. */
export function formatCount(count: number): string {
  return scaled(count, '')
}

/** `±4 %`, `±0.3 %`; empty when there is no error. */
export function formatError(halfWidth: number, value: number): string {
  if (!(halfWidth > 0) || value <= 0) return ''
  const percent = (100 * halfWidth) / value
  return `±${percent < 1 ? percent.toFixed(1) : Math.round(percent)} %`
}

/** A part of 0 … 1: `52 %`, `0.4 %`. */
export function formatShare(part: number): string {
  const percent = 100 * part
  return `${percent > 0 && percent < 0.95 ? percent.toFixed(1) : Math.round(percent)} %`
}

/** A change relative to before: `+12 %`, `-3 %`, `×14`; `new` when there was nothing before. */
export function formatChange(change: number | null): string {
  if (change === null) return 'new'
  if (change >= 9) return `×${Math.round(change + 1)}`
  const percent = Math.round(100 * change)
  return `${percent > 0 ? '+' : ''}${percent} %`
}

function scaled(value: number, unit: string): string {
  let step = 0
  let rest = value
  // 999.5 would be shown as 1000 of the smaller unit.
  while (rest >= (step === 0 ? 1000 : 999.5) && step < PREFIXES.length - 1) {
    rest /= 1000
    step++
  }
  const digits = step === 0 ? String(Math.round(rest)) : rest.toFixed(rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0)
  return `${digits} ${PREFIXES[step]}${unit}`.trimEnd()
}

/** A figure with its error behind it, where it has one. */
export function withError(figure: string, error: string): string {
  return error === '' ? figure : `${figure} ${error}`
}
