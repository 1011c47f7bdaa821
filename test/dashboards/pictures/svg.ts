/** A little of SVG: boxes, texts that fit, lines. */

export const COLORS = ['#3274d9', '#e0752d', '#56a64b', '#a352cc', '#c4162a', '#00a7b5', '#b5a316', '#7c7f85'] as const
export const INK = '#24292e'
export const FAINT = '#8b929a'
export const LINE = '#e3e5e8'

export interface Box {
  x: number
  y: number
  w: number
  h: number
}

export function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

export function rectangle({ x, y, w, h }: Box, fill: string, more = ''): string {
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(w)}" height="${at(h)}" fill="${fill}" ${more}/>`
}

export interface TextStyle {
  size?: number
  fill?: string
  anchor?: 'start' | 'middle' | 'end'
  bold?: boolean
  /** Width to fit in; what is longer is cut. */
  width?: number
}

/** About what a letter of this size takes. */
export function widthOf(words: string, size = 12): number {
  return words.length * size * 0.56
}

export function text(words: string, x: number, y: number, style: TextStyle = {}): string {
  const { size = 12, fill = INK, anchor = 'start', bold = false, width } = style
  const fits = width === undefined ? words : cut(words, width, size)
  const weight = bold ? ' font-weight="600"' : ''
  return `<text x="${at(x)}" y="${at(y)}" font-size="${size}" fill="${fill}" text-anchor="${anchor}"${weight}>${escaped(fits)}</text>`
}

export function cut(words: string, width: number, size: number): string {
  const most = Math.max(1, Math.floor(width / (size * 0.56)))
  return words.length <= most ? words : `${words.slice(0, most - 1)}…`
}

export function path(points: readonly (readonly [number, number])[], stroke: string, more = ''): string {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('')
  return `<path d="${d}" stroke="${stroke}" fill="none" stroke-width="1.5" stroke-linejoin="round" ${more}/>`
}

export function area(points: readonly (readonly [number, number])[], fill: string, opacity: number): string {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('')
  return `<path d="${d}Z" fill="${fill}" fill-opacity="${opacity}"/>`
}

function at(value: number): string {
  return Number(value.toFixed(1)).toString()
}
