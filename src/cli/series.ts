import type { Command } from 'commander'
import { errorName } from '../query/figures.ts'
import { DEFAULT_SERIES } from '../query/ask-series.ts'
import { checkSeries, type Answer, type Row } from '../query/ask.ts'
import type { CliContext } from './context.ts'
import { tableWidth } from './output.ts'
import { area, between, sparkline, squeezed } from './plot.ts'
import { addQuestionOptions, answerQuestion, flowsRequest, type QuestionOptions } from './questions.ts'
import { layoutTable } from './table.ts'
import { formatBytes, formatCount, formatError, withError } from './units.ts'

const DESCRIPTION = [
  'Figures over time: of all records, or of the groups that moved most, each with a series of its own, all others as one.',
  'In a terminal a plot; -f json, csv, yaml and value give a row a step and series. A record counts where it ended, so the sums over a ' +
    'series are the figures of ovsight top.',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight series --last 1h                           all traffic of the last hour
  $ ovsight series project --by sent_bytes --last 1d --step 1h
  $ ovsight series server --filter 'project red' -n 3
  $ ovsight series project --by bytes -f csv --from yesterday --to today`

const HEIGHT = 10
/** Up to this width a step is drawn broader, at most by so many places. */
const WIDE = 60
const MAX_PLACES = 8

interface SeriesOptions extends QuestionOptions {
  by?: string
  count?: string
  step?: string
}

/** Declares `ovsight series`. */
export function addSeries(program: Command, context: CliContext): void {
  const command = program
    .command('series')
    .summary('figures over time')
    .description(DESCRIPTION)
    .argument('[DIMENSION...]', 'what to group by, as in ovsight top; none: all records')
    .option('--by <measure>', 'what to plot and to choose groups by (default bytes)')
    .option('--count <which>', 'once: each byte once; all: every stored record', 'once')
    .option('--step <span>', 'length of a step: 10s, 5m, 1h (default: one that gives at most 120)')
  addQuestionOptions(command, DEFAULT_SERIES, 'series')
    .addHelpText('after', EXAMPLES)
    .action((dimensions: string[], options: SeriesOptions) => {
      const { by, count, step } = options
      const request = { ...flowsRequest(options), dimensions, by, count, step }
      return answerQuestion(context, options, {
        check: () => checkSeries(request, context.now()),
        ask: (backend) => backend.series(request),
        table: () => [],
        text: (answer) => seriesText(answer, by ?? 'bytes', tableWidth(context)),
      })
    })
}

/** A plot of one series, a sparkline each of several. */
export function seriesText({ columns, rows }: Answer, by: string, width: number): string {
  const format = by.endsWith('bytes') ? formatBytes : formatCount
  const times = [...new Set(rows.map(({ time }) => String(time)))]
  const [first = '', last = ''] = [times[0], times.at(-1)]
  const day = first.slice(0, 10) === last.slice(0, 10)
  const label = (time: string) => (day ? time.slice(11, 19) : time.slice(0, 16).replace('T', ' '))
  const step = stepText(times)
  if (!columns.includes('row')) {
    const label0 = Math.max(format(Math.max(0, ...rows.map((row) => Number(row[by])))).length, format(0).length)
    const values = squeezed(rows.map((row) => Number(row[by])), width - label0 - 2) // prettier-ignore
    // Few steps are drawn broader.
    const places = Math.max(1, Math.min(MAX_PLACES, Math.floor(WIDE / values.length)))
    const lines = area(values.flatMap((value) => Array.from({ length: places }, () => value)), HEIGHT, format) // prettier-ignore
    const indent = ' '.repeat(label0 + 2)
    const sum = summed(rows, by, format)
    const each = values.length === times.length ? step : stepText(times, Math.ceil(times.length / values.length))
    return `${[...lines, indent + between(label(first), label(last), values.length * places), `${by} ${sum}, a column ${each}`].join('\n')}\n`
  }
  return severalText(rows, columns, by, {
    times: times.length,
    width,
    format,
    foot: `${label(first)} … ${label(last)}, a step ${step}`,
  })
}

interface Several {
  times: number
  width: number
  format: (value: number) => string
  foot: string
}

function severalText(
  rows: readonly Row[],
  columns: readonly string[],
  by: string,
  { times, width, format, foot }: Several,
): string {
  const each = rows.length / times
  const names = columns.slice(
    2,
    columns.findIndex((name) => name === 'sent_bytes' || name === 'bytes'),
  )
  const shown = names.filter((name) => !name.endsWith('_id'))
  const series = Array.from({ length: each }, (_, i) => rows.filter((_row, at) => at % each === i))
  const label = (of: readonly Row[]) =>
    of[0]?.['row'] === 'other' ? 'other' : shown.map((name) => String(of[0]?.[name] ?? '') || '-').join(' ')
  const values = series.map((of) => of.map((row) => Number(row[by])))
  const [sums, peaks] = [series.map((of) => summed(of, by, format)), values.map((all) => Math.max(...all))]
  const widest = Math.max(8, ...sums.map((sum) => sum.length)) + 2
  const taken = Math.min(30, Math.max(...series.map((of) => label(of).length))) + 2 + widest + 10
  const lines = layoutTable(
    [
      { title: shown.join(' '), weight: 100, keep: true, minWidth: 10, cells: series.map(label) },
      { title: by, weight: 99, keep: true, align: 'right', cells: sums },
      { title: 'peak', weight: 98, align: 'right', cells: peaks.map(format) },
      {
        title: foot,
        weight: 97,
        keep: true,
        minWidth: 10,
        cells: values.map((all) => sparkline(squeezed(all, Math.max(10, width - taken)))),
      },
    ],
    width,
  )
  return `${lines.join('\n')}\n`
}

/** The sum of a figure, with its error: the errors of steps are of other records. */
function summed(rows: readonly Row[], by: string, format: (value: number) => string): string {
  const sum = rows.reduce((all, row) => all + Number(row[by]), 0)
  const square = rows.reduce((all, row) => all + Number(row[errorName(by)] ?? 0) ** 2, 0)
  return withError(format(sum), formatError(Math.sqrt(square), sum))
}

function stepText(times: readonly string[], each = 1): string {
  const [a, b] = [Date.parse(times[0] ?? ''), Date.parse(times[1] ?? '')]
  if (Number.isNaN(b)) return 'all of it'
  const s = ((b - a) / 1000) * each
  if (s % 86_400 === 0) return `${s / 86_400} d`
  if (s % 3600 === 0) return `${s / 3600} h`
  return s % 60 === 0 ? `${s / 60} min` : `${s} s`
}
