/** Numbers as people write them in a filter. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  Pi: 1024 ** 5,
}
const DECIMAL = /^(\d{1,16})(\.\d{1,9})?([kKMGTP]i?)?B?$/
const HEX = /^0x[0-9a-f]{1,13}$/i

/** `443`, `0x800`, `1.5M` (decimal), `64Ki`, `10MB`; undefined when it is none. */
export function parseNumber(text: string): number | undefined {
  if (HEX.test(text)) return Number(text)
  const match = DECIMAL.exec(text)
  const unit = match === null ? undefined : UNITS[match[3] ?? '']
  if (match === null || unit === undefined) return undefined
  const value = Number(match[1]! + (match[2] ?? '')) * unit
  // 1.1k is 1100.0000000000002 in binary.
  const rounded = Math.round(value)
  return Math.abs(value - rounded) < 1e-6 * unit && unit > 1 ? rounded : value
}

/** Text that `parseNumber` reads as the same number. */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/0+$/, '')
}
