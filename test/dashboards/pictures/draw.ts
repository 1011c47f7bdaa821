/** A dashboard drawn from the answers to its questions: the same places, figures, lines and tables that Grafana shows. */
import type { DashboardSpec } from '../../../dashboards/build.ts'
import { buildDashboard } from '../../../dashboards/build.ts'
import type { BarsSpec, PanelSpec, SeriesSpec, StatSpec, TableSpec, Threshold } from '../../../dashboards/panel.ts'
import type { Rows } from '../../../src/store/store.ts'
import { formatted } from './format.ts'
import { COLORS, FAINT, INK, LINE, area, type Box, path, rectangle, text, widthOf } from './svg.ts'

type Row = Record<string, unknown>
/** Answer of each panel, by its number. */
export type Answers = ReadonlyMap<number, Rows>
/** What the axes of time show. */
export interface Span {
  fromMs: number
  toMs: number
}

const WIDTH = 1440
const COLUMN = WIDTH / 24
const ROW = 34
const GAP = 4
const HEAD = 52
const LINE_HEIGHT = 19

const THRESHOLD_COLORS = {
  green: '#299c46',
  yellow: '#d6a800',
  orange: '#e0752d',
  red: '#c4162a',
  blue: '#3274d9',
} as const

export function draw(spec: DashboardSpec, subtitle: string, answers: Answers, span: Span): string {
  const { panels = [] } = buildDashboard(spec)
  const specs = spec.rows.flatMap((row) => [undefined, ...row.panels])
  const height = HEAD + Math.max(...panels.map(({ gridPos }) => (gridPos!.y + gridPos!.h) * ROW)) + GAP
  const drawn = panels.map((panel, i) => {
    const { x, y, w, h } = panel.gridPos!
    const box = { x: x * COLUMN + GAP, y: HEAD + y * ROW + GAP, w: w * COLUMN - 2 * GAP, h: h * ROW - 2 * GAP }
    const of = specs[i]
    if (of === undefined) return text(panel.title ?? '', box.x + 2, box.y + 18, { size: 14, bold: true })
    const frame =
      rectangle(box, '#ffffff', `stroke="${LINE}" rx="3"`) +
      text(of.title, box.x + 10, box.y + 19, { bold: true, width: box.w - 20 })
    const inside = { x: box.x + 10, y: box.y + 28, w: box.w - 20, h: box.h - 36 }
    return frame + content(of, answers.get(panel.id!), inside, span)
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="DejaVu Sans, Inter, Arial, sans-serif">`,
    rectangle({ x: 0, y: 0, w: WIDTH, h: height }, '#f4f5f5'),
    text(`ovsight: ${spec.title}`, 10, 32, { size: 20, bold: true }),
    text(subtitle, WIDTH - 10, 32, { size: 13, fill: FAINT, anchor: 'end' }),
    ...drawn,
    '</svg>\n',
  ].join('\n')
}

function content(spec: PanelSpec, answer: Rows | undefined, box: Box, span: Span): string {
  const rows = answer?.rows ?? []
  if (rows.length === 0) return centred(spec.empty, box)
  return DRAWN[spec.kind](spec as never, rows, box, span)
}

const DRAWN = { stat, series, table, bars } as const

function centred(words: string, { x, y, w, h }: Box): string {
  return text(words, x + w / 2, y + h / 2, { fill: FAINT, anchor: 'middle', width: w })
}

function stat({ columns, thresholds }: StatSpec, rows: readonly Row[], { x, y, w, h }: Box): string {
  const [name, { unit }] = Object.entries(columns)[0]!
  const value = rows[0]![name]
  const shown = formatted(value, unit)
  const middle = y + h / 2 + 14
  if (thresholds === undefined)
    return text(shown, x + w / 2, middle, { size: 34, fill: COLORS[0], anchor: 'middle', bold: true })
  const fill = THRESHOLD_COLORS[colorOf(thresholds, Number(value))]
  return (
    rectangle({ x: x - 4, y, w: w + 8, h: h + 2 }, fill, 'rx="3"') +
    text(shown, x + w / 2, middle, { size: 34, fill: '#ffffff', anchor: 'middle', bold: true })
  )
}

function colorOf(thresholds: readonly Threshold[], value: number): Threshold['color'] {
  return thresholds.filter(({ from }) => from === undefined || value >= from).at(-1)!.color
}

interface Line {
  name: string
  points: readonly (readonly [ms: number, value: number])[]
}

function linesOf(spec: SeriesSpec, rows: readonly Row[]): Line[] {
  const figures = Object.entries(spec.columns).filter(([, { unit }]) => unit !== 'time' && unit !== 'text')
  const time = (row: Row) => Date.parse(`${String(row['time']).replace(' ', 'T')}Z`)
  if (spec.label === undefined)
    return figures.map(([name]) => ({ name, points: rows.map((row) => [time(row), Number(row[name])] as const) }))
  const figure = figures[0]![0]
  const names = [...new Set(rows.map((row) => String(row[spec.label!])))]
  const times = [...new Set(rows.map(time))]
  return names.map((name) => {
    const own = new Map(
      rows.filter((row) => String(row[spec.label!]) === name).map((row) => [time(row), Number(row[figure])]),
    )
    return { name, points: times.map((at) => [at, own.get(at) ?? 0] as const) }
  })
}

function series(spec: SeriesSpec, rows: readonly Row[], box: Box, span: Span): string {
  const lines = linesOf(spec, rows)
  const edges = new Set((spec.bands ?? []).flat())
  const shown = lines.filter(({ name }) => !edges.has(name))
  const stacked = spec.stack === true ? stackedUp(shown) : shown
  const all = [...stacked, ...lines.filter(({ name }) => edges.has(name))].flatMap(({ points }) => points)
  const times = all.map(([ms]) => ms)
  // The first step may begin before the span.
  const [from, to] = [Math.min(span.fromMs, ...times), Math.max(span.toMs, ...times)]
  const highest = Math.max(...all.map(([, value]) => value))
  const most = niceTop(highest > 0 ? highest : 1)
  const names = legendLines(
    shown.map(({ name }) => name),
    box.w,
  )
  const plot = { x: box.x + 76, y: box.y + 4, w: box.w - 84, h: box.h - 42 - (names.length - 1) * LEGEND_HEIGHT }
  const place = ([ms, value]: readonly [number, number]) =>
    [plot.x + ((ms - from) / (to - from)) * plot.w, plot.y + plot.h - (value / most) * plot.h] as const
  const unit = Object.values(spec.columns).find((column) => column.unit !== 'time' && column.unit !== 'text')!.unit
  const parts = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const y = plot.y + plot.h * (1 - share)
    return [
      path(
        [
          [plot.x, y],
          [plot.x + plot.w, y],
        ],
        LINE,
      ),
      text(formatted(most * share, unit), plot.x - 6, y + 4, { size: 10, fill: FAINT, anchor: 'end' }),
    ]
  })
  for (const share of plot.w < NARROW ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1]) {
    const clock = new Date(from + (to - from) * share).toISOString().slice(11, 19)
    const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle'
    parts.push(text(clock, plot.x + plot.w * share, plot.y + plot.h + 14, { size: 10, fill: FAINT, anchor }))
  }
  for (const [i, [low, high]] of (spec.bands ?? []).entries()) {
    const edge = (name: string) => lines.find((line) => line.name === name)!.points.map(place)
    parts.push(area([...edge(high), ...edge(low).toReversed()], COLORS[i]!, 0.22))
  }
  for (const [i, { points }] of [...stacked.entries()].toReversed()) {
    const color = COLORS[i % COLORS.length]!
    const line = points.map(place)
    if (spec.stack === true) {
      const below = i === 0 ? points.map(([ms]) => place([ms, 0])) : stacked[i - 1]!.points.map(place)
      parts.push(area([...line, ...below.toReversed()], color, 0.5))
    }
    if (spec.asBars === true) {
      parts.push(...line.map(([x, y]) => rectangle({ x: x - 4, y, w: 8, h: plot.y + plot.h - y }, color)))
      continue
    }
    parts.push(path(line, color))
    if (points.length < 40)
      parts.push(...line.map(([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2" fill="${color}"/>`))
  }
  return parts.join('') + legend(names, box)
}

/** Below this width five times of day run into one another. */
const NARROW = 330
const LEGEND_HEIGHT = 16

interface Entry {
  words: string
  /** From the left. */
  at: number
  color: string
}

/** Names side by side, in as many lines as they need. */
function legendLines(names: readonly string[], width: number): Entry[][] {
  const lines: Entry[][] = [[]]
  let at = 0
  for (const [i, name] of names.entries()) {
    const words = name.replaceAll('_', ' ')
    const taken = 30 + widthOf(words, 11.5)
    if (at > 0 && at + taken - 14 > width) {
      lines.push([])
      at = 0
    }
    lines.at(-1)!.push({ words, at, color: COLORS[i % COLORS.length]! })
    at += taken
  }
  return lines
}

/** At the foot of the box. */
function legend(lines: readonly (readonly Entry[])[], box: Box): string {
  return lines
    .flatMap((line, i) => {
      const y = box.y + box.h - 3 - (lines.length - 1 - i) * LEGEND_HEIGHT
      return line.map(
        ({ words, at, color }) =>
          rectangle({ x: box.x + at, y: y - 6, w: 12, h: 4 }, color) + text(words, box.x + at + 16, y, { size: 11 }),
      )
    })
    .join('')
}

function stackedUp(lines: readonly Line[]): Line[] {
  const sums = new Map<number, number>()
  return lines.map(({ name, points }) => ({
    name,
    points: points.map(([ms, value]) => {
      const sum = (sums.get(ms) ?? 0) + value
      sums.set(ms, sum)
      return [ms, sum] as const
    }),
  }))
}

/** The next of 1, 2, 4, 5, 8, 10 times a power of ten. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return ([1, 2, 4, 5, 8, 10].find((step) => step * power >= value) ?? 10) * power
}

function table({ columns }: TableSpec, rows: readonly Row[], box: Box): string {
  const shown = Object.entries(columns).filter(([, { hidden }]) => hidden !== true)
  const lines = Math.floor(box.h / LINE_HEIGHT) - 1
  const cells = rows.slice(0, lines).map((row) => shown.map(([name, { unit }]) => formatted(row[name], unit)))
  const wanted = shown.map(([name, { title }], i) => {
    const longest = Math.max((title ?? name).length, ...cells.map((row) => Math.min(row[i]!.length, 44)))
    return longest + 2
  })
  const sum = wanted.reduce((a, b) => a + b, 0)
  const widths = wanted.map((one) => (one / sum) * box.w)
  const starts = widths.map((_, i) => box.x + widths.slice(0, i).reduce((a, b) => a + b, 0))
  const parts = shown.map(([name, { title, unit }], i) =>
    cell((title ?? name).replaceAll('_', ' '), i, box.y + 11, unit, { fill: FAINT, size: 11 }),
  )
  for (const [r, row] of cells.entries()) {
    const y = box.y + (r + 2) * LINE_HEIGHT - 8
    parts.push(
      path(
        [
          [box.x, y - 13.5],
          [box.x + box.w, y - 13.5],
        ],
        LINE,
      ),
    )
    for (const [i, [name, { unit, bar, link }]] of shown.entries()) {
      if (bar === true) {
        const most = Math.max(...rows.map((one) => Number(one[name])), 1e-9)
        const share = Math.max(0, Number(rows[r]![name])) / most
        parts.push(
          rectangle(
            { x: starts[i]! + 2, y: y - 11, w: (widths[i]! - 6) * share, h: 14 },
            COLORS[0],
            'fill-opacity="0.18"',
          ),
        )
      }
      parts.push(cell(row[i]!, i, y, unit, { fill: link === undefined ? INK : COLORS[0], size: 11.5 }))
    }
  }
  return parts.join('')

  function cell(words: string, i: number, y: number, unit: string, style: { fill: string; size: number }): string {
    const right = unit !== 'text' && unit !== 'time'
    const x = right ? starts[i]! + widths[i]! - 8 : starts[i]!
    return text(words, x, y, { ...style, anchor: right ? 'end' : 'start', width: widths[i]! - 4 })
  }
}

function bars({ columns }: BarsSpec, rows: readonly Row[], box: Box): string {
  const entries = Object.entries(columns)
  const label = entries.find(([, { unit }]) => unit === 'text')![0]
  const [figure, { unit }] = entries.find(([, column]) => column.unit !== 'text')!
  const most = Math.max(...rows.map((row) => Number(row[figure])), 1e-9)
  const height = Math.min(26, box.h / rows.length)
  const left = Math.min(150, Math.max(...rows.map((row) => widthOf(String(row[label]), 12))) + 10)
  return rows
    .filter((_, i) => (i + 1) * height <= box.h + 1)
    .map((row, i) => {
      const y = box.y + i * height
      const w = (Number(row[figure]) / most) * (box.w - left - 76)
      return (
        text(String(row[label]), box.x + left - 8, y + height * 0.68, { size: 11.5, anchor: 'end', width: left }) +
        rectangle(
          { x: box.x + left, y: y + 3, w: Math.max(1, w), h: height - 6 },
          COLORS[i % COLORS.length]!,
          'fill-opacity="0.75"',
        ) +
        text(formatted(row[figure], unit), box.x + left + w + 6, y + height * 0.68, { size: 11.5 })
      )
    })
    .join('')
}

export function asked(spec: DashboardSpec): { id: number; panel: PanelSpec }[] {
  const { panels = [] } = buildDashboard(spec)
  const specs = spec.rows.flatMap((row) => [undefined, ...row.panels])
  return panels.flatMap(({ id }, i) => {
    const panel = specs[i]
    return panel === undefined ? [] : [{ id: id!, panel }]
  })
}
