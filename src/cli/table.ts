import stringWidth from 'string-width'

/**
 * Rows of text in columns that fit a width. Columns that matter least give way first: flexible ones are cut, then the least
 * important are left out; those with `keep` stay.
 */
export interface TableColumn {
  readonly title: string
  readonly cells: readonly string[]
  readonly align?: 'right'
  /** Higher stays longer; from IMPORTANT on, others are cut to make room for it. */
  readonly weight: number
  /** Never left out. */
  readonly keep?: boolean
  /** May be cut down to this width; without it the column is as wide as it is. */
  readonly minWidth?: number
  /** What does not fit goes on below; for the last column, of sentences. */
  readonly wrap?: boolean
}

const GAP = '  '
/** What a column of less weight may not push others below. */
const ROOMY_WIDTH = 30
const IMPORTANT = 70
/** Less says nothing. */
const LEAST_WIDTH = 4

/** Lines of a table, the titles first; no line is wider than `width` unless even the kept columns do not fit. */
export function layoutTable(columns: readonly TableColumn[], width: number): string[] {
  const clean = columns.map((column) => ({ ...column, cells: column.cells.map(visible) }))
  const chosen = choose(clean, width)
  const widths = spread(chosen, width)
  const lines = [
    chosen.map(({ title }) => title),
    ...(chosen[0]?.cells ?? []).flatMap((_, row) => wrapped(chosen, row, widths)),
  ]
  return lines.map((cells) =>
    cells
      .map((cell, i) => aligned(cell, widths[i]!, chosen[i]!.align))
      .join(GAP)
      .trimEnd(),
  )
}

/** One row as lines: several where a cell wraps. */
function wrapped(columns: readonly TableColumn[], row: number, widths: readonly number[]): string[][] {
  const cells = columns.map(({ cells: all, wrap }, i) =>
    wrap === true ? wrapWords(all[row]!, widths[i]!) : [all[row]!],
  )
  const height = Math.max(...cells.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) => cells.map((parts) => parts[line] ?? ''))
}

/** Text as lines of at most this width, but for longer words. */
export function wrapWords(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const longer = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`
    if (stringWidth(longer) <= width || lines.at(-1) === '') lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/**
 * Text without what would move the cursor or change colours: names come from the network and from tenants. Unicode's controls and
 * its marks of direction become U+FFFD.
 */
export function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]/gu, '\uFFFD')
}

function natural({ title, cells }: TableColumn): number {
  return Math.max(stringWidth(title), ...cells.map((cell) => stringWidth(cell)))
}

function least(column: TableColumn): number {
  const full = natural(column)
  return column.minWidth === undefined ? full : Math.min(full, column.minWidth)
}

function roomy(column: TableColumn): number {
  return Math.max(least(column), Math.min(natural(column), ROOMY_WIDTH))
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, 0) + GAP.length * Math.max(0, widths.length - 1)
}

function choose(columns: readonly TableColumn[], width: number): TableColumn[] {
  const chosen = new Set(columns.filter(({ keep }) => keep === true))
  for (const column of columns.toSorted((a, b) => b.weight - a.weight)) {
    const trial = [...chosen, column]
    if (!chosen.has(column) && total(trial.map(column.weight >= IMPORTANT ? least : roomy)) <= width) chosen.add(column)
  }
  return columns.filter((column) => chosen.has(column))
}

/** Widths of the chosen columns: the least each needs, then what is left to those that want more. */
function spread(columns: readonly TableColumn[], width: number): number[] {
  const wanted = columns.map(natural)
  const widths = columns.map(least)
  // Where even the least is too much, the widest of those that can be cut gives.
  for (let over = total(widths) - width; over > 0; over--) {
    const widest = widestFlexible(columns, widths)
    if (widest === undefined) break
    widths[widest]!--
  }
  for (let left = width - total(widths); left > 0; left--) {
    const i = widths.reduce((best, one, at) => (one < wanted[at]! && (best < 0 || one < widths[best]!) ? at : best), -1)
    if (i < 0) break
    widths[i]!++
  }
  return widths
}

function widestFlexible(columns: readonly TableColumn[], widths: readonly number[]): number | undefined {
  let best: number | undefined
  for (const [i, { minWidth }] of columns.entries())
    if (minWidth !== undefined && widths[i]! > LEAST_WIDTH && (best === undefined || widths[i]! > widths[best]!))
      best = i
  return best
}

function aligned(cell: string, width: number, align: 'right' | undefined): string {
  const cut = shorten(cell, width)
  const space = ' '.repeat(Math.max(0, width - stringWidth(cut)))
  return align === 'right' ? space + cut : cut + space
}

/** Text cut to a width, with an ellipsis in its last place. */
export function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let cut = ''
  let used = 0
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const more = stringWidth(segment)
    if (used + more > width - 1) break
    cut += segment
    used += more
  }
  return `${cut}…`
}
