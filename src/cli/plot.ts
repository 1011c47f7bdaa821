import { shorten } from './table.ts'
import stringWidth from 'string-width'

/**
 * Figures as pictures of block characters: bars, sparklines and plots.
 */
const EIGHTHS_UP = ' ▁▂▃▄▅▆▇█'
const EIGHTHS_RIGHT = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'] as const

/** A bar of at most `width` places for a part of 0 … 1; what is more than nothing has at least an eighth. */
export function bar(part: number, width: number): string {
  if (!(part > 0)) return ''
  const eighths = Math.max(1, Math.round(Math.min(1, part) * width * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS_RIGHT[eighths % 8]!
}

/** One character a value, as high as its part of the largest; zero is a space, more than nothing at least an eighth. */
export function sparkline(values: readonly number[], most = Math.max(0, ...values)): string {
  return values
    .map((value) => EIGHTHS_UP[value <= 0 || most <= 0 ? 0 : Math.max(1, Math.round((value / most) * 8))]!)
    .join('')
}

/** Values in at most `width` columns: neighbours are summed up. */
export function squeezed(values: readonly number[], width: number): number[] {
  const each = Math.max(1, Math.ceil(values.length / width))
  return Array.from({ length: Math.ceil(values.length / each) }, (_, i) =>
    values.slice(i * each, (i + 1) * each).reduce((sum, value) => sum + value, 0),
  )
}

/** An area of columns, `height` lines; the highest line is labelled with the largest value, the lowest with zero. */
export function area(values: readonly number[], height: number, label: (value: number) => string): string[] {
  const most = Math.max(0, ...values)
  const labels = Array.from({ length: height }, (_, line) =>
    line === 0 ? label(most) : line === height - 1 ? label(0) : '',
  )
  const gutter = Math.max(...labels.map((text) => stringWidth(text)))
  return labels.map((text, line) => {
    const floor = height - 1 - line
    const cells = values.map((value) => {
      const eighths = most === 0 ? 0 : (value / most) * height * 8
      const here = value > 0 ? Math.max(Math.round(eighths), 1) - floor * 8 : 0
      return EIGHTHS_UP[Math.min(8, Math.max(0, here))]!
    })
    return `${' '.repeat(gutter - stringWidth(text))}${text} ${line === 0 || line === height - 1 ? '┤' : '│'}${cells.join('')}`.trimEnd()
  })
}

/** Texts at the left and the right end of `width` places, the right one only where there is room. */
export function between(left: string, right: string, width: number): string {
  const space = width - stringWidth(left) - stringWidth(right)
  return space < 1 ? shorten(left, width) : `${left}${' '.repeat(space)}${right}`
}
