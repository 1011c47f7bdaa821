import type { Command } from 'commander'
import { errorName } from '../query/figures.ts'
import { DEFAULT_MATRIX_ROWS } from '../query/ask-matrix.ts'
import { checkMatrix, type Row } from '../query/ask.ts'
import { ENTITY_NAMES } from '../query/dimensions.ts'
import type { CliContext } from './context.ts'
import { addQuestionOptions, answerQuestion, flowsRequest, type QuestionOptions } from './questions.ts'
import type { TableColumn } from './table.ts'
import { formatBytes, formatCount, formatError, withError } from './units.ts'

const DESCRIPTION = [
  'Who talks to whom: what went from each to each.',
  'As a table a grid, the sources downwards, the destinations across, the largest first; further ones are left out where they do not ' +
    'fit. In other formats a row a pair: bytes holds every byte once, sent_bytes of all pairs with the source X is what X sent in ' +
    'ovsight top, received_bytes of all pairs with the destination X what X received. Ends that are no entity stand by their kind in ' +
    'parentheses: (external).',
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight matrix project                             which projects talk to which
  $ ovsight matrix server --filter 'project red' --last 1h
  $ ovsight matrix network --by packets
  $ ovsight matrix project -f csv -c src_project -c dst_project -c bytes`

interface MatrixOptions extends QuestionOptions {
  by?: string
}

/** Declares `ovsight matrix`. */
export function addMatrix(program: Command, context: CliContext): void {
  const command = program
    .command('matrix')
    .summary('who talks to whom')
    .description(DESCRIPTION)
    .argument('[ENTITY]', `${ENTITY_NAMES.slice(0, -1).join(', ')} or ${ENTITY_NAMES.at(-1)!}`, 'project')
    .option('--by <measure>', 'bytes, l2_bytes, packets, records; with sent_ or received_ (default bytes)')
  addQuestionOptions(command, DEFAULT_MATRIX_ROWS, 'pairs')
    .addHelpText('after', EXAMPLES)
    .action((entity: string, options: MatrixOptions) => {
      const request = { ...flowsRequest(options), of: entity, by: options.by }
      return answerQuestion(context, options, {
        check: () => checkMatrix(request, context.now()),
        ask: (backend) => backend.matrix(request),
        table: ({ rows: all }) =>
          options.column === undefined && options.sortColumn === undefined
            ? gridTable(all, entity, options.by ?? 'bytes')
            : [],
      })
    })
}

/** Sources downwards, destinations across, the largest first. */
function gridTable(rows: readonly Row[], entity: string, by: string): TableColumn[] {
  const format = by.endsWith('bytes') ? formatBytes : formatCount
  const [sources, destinations] = [endsBy(rows, 'src', entity, by), endsBy(rows, 'dst', entity, by)]
  const written = ({ value, variance }: Sum) => withError(format(value), formatError(Math.sqrt(variance), value))
  const cells = new Map(
    rows.map((row) => [`${keyOf(row, 'src', entity)}\n${keyOf(row, 'dst', entity)}`, written(sumOf(row, by))]),
  )
  const total = sources.reduce(added, NOTHING)
  const column = ({ key, label, ...sum }: End, i: number): TableColumn => ({
    title: label,
    align: 'right',
    weight: 90 - i,
    minWidth: 8,
    cells: [...sources.map((source) => cells.get(`${source.key}\n${key}`) ?? '·'), written(sum)],
  })
  return [
    {
      title: 'from \\ to',
      weight: 100,
      keep: true,
      minWidth: 10,
      cells: [...sources.map(({ label }) => label), 'all'],
    },
    ...destinations.map(column),
    {
      title: 'all',
      align: 'right',
      weight: 99,
      keep: true,
      cells: [...sources.map(written), written(total)],
    },
  ]
}

/** A figure, and the square of its error where it is an estimate: squares of pairs can be added. */
interface Sum {
  readonly value: number
  readonly variance: number
}

const NOTHING: Sum = { value: 0, variance: 0 }

function sumOf(row: Row, by: string): Sum {
  return { value: Number(row[by]), variance: Number(row[errorName(by)] ?? 0) ** 2 }
}

function added(a: Sum, b: Sum): Sum {
  return { value: a.value + b.value, variance: a.variance + b.variance }
}

interface End extends Sum {
  readonly key: string
  readonly label: string
}

/** The ends of one side, the largest first; an id behind the names that several have. */
function endsBy(rows: readonly Row[], side: 'src' | 'dst', entity: string, by: string): End[] {
  const ends = new Map<string, Sum & { row: Row }>()
  for (const row of rows) {
    const key = keyOf(row, side, entity)
    ends.set(key, { row, ...added(ends.get(key) ?? NOTHING, sumOf(row, by)) })
  }
  const names = [...ends.values()].map(({ row }) => String(row[`${side}_${entity}`]))
  return [...ends]
    .map(([key, { row, value, variance }]) => {
      const name = String(row[`${side}_${entity}`])
      const twice = names.filter((other) => other === name).length > 1
      return { key, value, variance, label: twice ? `${name} ${ownerOf(row, side, entity)}` : name }
    })
    .toSorted((a, b) => b.value - a.value || a.label.localeCompare(b.label))
}

function keyOf(row: Row, side: 'src' | 'dst', entity: string): string {
  return `${String(row[`${side}_${entity}`])}\n${String(row[`${side}_${entity}_id`] ?? '')}`
}

/** What tells two of one name apart: whose they are, and their ids. */
function ownerOf(row: Row, side: 'src' | 'dst', entity: string): string {
  const id = String(row[`${side}_${entity}_id`] ?? '').slice(0, 8)
  const project = row[`${side}_project`]
  return entity === 'project' || project === undefined ? id : `${String(project)} ${id}`
}
