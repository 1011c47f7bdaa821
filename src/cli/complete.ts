import type { Command, Option } from 'commander'
import { parseDimensions, DIMENSION_NAMES, ENTITY_NAMES, type EntityName } from '../query/dimensions.ts'
import { DIRECTIONS } from '../query/filter/directions.ts'
import { ALIASES, FIELDS, WORDS } from '../query/filter/fields.ts'
import { figureNames } from '../query/measures.ts'
import { PROTOCOLS } from '../query/protocols.ts'
import { isSided } from '../query/sums.ts'
import { enumValues, type EnumName } from '../schema/enums.ts'
import { COLUMNS, columnFacts, type ColumnName } from '../schema/columns.ts'
import { LINE_FORMATS } from './nfdump-lines.ts'
import { FORMATS } from './output.ts'

/** What may stand where the cursor is on a command line of the shell. */

/** Asks for names of things that occur; nothing when nobody answers soon. */
export type NamesOf = (entity: EntityName) => Promise<readonly string[]>

/**
 * Candidates for the last of `words`, which may be empty; the words before are whole. `program` has all commands. A candidate is the
 * whole word: of a filter, with what stands before in it.
 */
export async function candidates(program: Command, words: readonly string[], namesOf: NamesOf): Promise<string[]> {
  const typed = words.at(-1) ?? ''
  const { command, options, last } = walk(program, words.slice(0, -1))
  const wanted = last === undefined ? undefined : options.find(({ short, long }) => short === last || long === last)
  const found =
    wanted !== undefined && wanted.required
      ? await valuesOf(wanted, typed, words, namesOf)
      : typed.startsWith('-')
        ? options.filter(({ hidden }) => !hidden).flatMap(({ long }) => long ?? [])
        : [...command.commands.map((one) => one.name()), ...argumentsOf(command)]
  return [...new Set(found)].filter((candidate) => candidate.startsWith(typed))
}

interface Walked {
  command: Command
  options: readonly Option[]
  /** The word before the cursor. */
  last: string | undefined
}

function walk(program: Command, before: readonly string[]): Walked {
  let command = program
  for (const word of before) command = command.commands.find((one) => one.name() === word) ?? command
  return { command, options: command.options, last: before.at(-1) }
}

function argumentsOf(command: Command): readonly string[] {
  switch (command.name()) {
    case 'top':
    case 'watch':
    case 'series':
      return DIMENSION_NAMES
    case 'matrix':
      return ENTITY_NAMES
    case 'completion':
      return ['bash', 'zsh', 'fish']
    default:
      return []
  }
}

async function valuesOf(
  option: Option,
  typed: string,
  words: readonly string[],
  namesOf: NamesOf,
): Promise<readonly string[]> {
  switch (option.long) {
    case '--filter':
      return filterCandidates(typed, namesOf)
    case '--format':
      return FORMATS
    case '--output':
      return Object.keys(LINE_FORMATS)
    case '--column':
    case '--sort-column':
      return [...DIMENSION_NAMES, ...figureNames(true)]
    case '--by':
      return figuresFor(words)
    default:
      return option.argChoices ?? []
  }
}

/** The figures that the dimensions already typed have. */
function figuresFor(words: readonly string[]): readonly string[] {
  const known = words.filter((word) => DIMENSION_NAMES.includes(word))
  return figureNames(known.length === 0 || isSided(parseDimensions(known)))
}

const OPERATORS: ReadonlySet<string> = new Set(['', 'in', '=', '==', '!=', '<>'])
const BEGINS: ReadonlySet<string> = new Set(['and', 'or', 'not', '(', '!', '&&', '||'])

/** A filter with its last word completed: a keyword, a field, a value of its set, or a name that occurs. */
async function filterCandidates(typed: string, namesOf: NamesOf): Promise<string[]> {
  const at =
    Math.max(typed.lastIndexOf(' '), typed.lastIndexOf('('), typed.lastIndexOf('['), typed.lastIndexOf(',')) + 1
  const head = typed.slice(0, at)
  // Inside a list the field stands before it.
  const list = head.lastIndexOf('[')
  const beginning = list > head.lastIndexOf(']') ? head.slice(0, list) : head
  const before = beginning.replaceAll(/[()]/g, ' $& ').trim().split(/\s+/).filter((word) => !OPERATORS.has(word)) // prettier-ignore
  const last = before.at(-1) ?? ''
  const words = last === '' || BEGINS.has(last) ? WORDS : await afterWord(last, namesOf)
  return words.map((word) => `${head}${word}`)
}

async function afterWord(word: string, namesOf: NamesOf): Promise<readonly string[]> {
  if (word === 'src' || word === 'dst') return [...FIELDS.values()].filter(({ sided }) => sided).map(({ name }) => name)
  const name = (Object.hasOwn(ALIASES, word) ? ALIASES[word]! : word).replace(/^(?:src|dst)_/, '')
  const field = FIELDS.get(name)
  if (field === undefined) return ['and', 'or']
  if ((ENTITY_NAMES as readonly string[]).includes(name)) return (await namesOf(name as EntityName)).map(quoted)
  if (field.type === 'direction') return Object.keys(DIRECTIONS)
  if (field.type === 'protocol') return Object.keys(PROTOCOLS)
  const column = field.sided ? `src_${field.parts[0]!}` : field.parts[0]!
  const of: EnumName | undefined = Object.hasOwn(COLUMNS, column) ? columnFacts(column as ColumnName).of : undefined
  return of === undefined ? [] : enumValues(of)
}

function quoted(name: string): string {
  return /^[A-Za-z0-9_.:/%*+@-]+$/.test(name) ? name : `"${name.replaceAll(/["\\]/g, '\\$&')}"`
}
