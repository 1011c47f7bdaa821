/**
 * What passes the door: one SELECT, SHOW, DESCRIBE or EXPLAIN over ovsight's own tables. The engine behind it could read the files of
 * this machine, fetch URLs and write, so what is not known to be harmless is refused. The engine runs it read-only besides.
 */
import { FILTERS_SETTING, filtersAt } from './filters.ts'
import { Refusal } from './refusal.ts'
import { LexError, type Token, tokensOf } from './tokens.ts'

export interface Cage {
  /** The database that may be asked. */
  database: string
  /** All databases of the engine. */
  databases: ReadonlySet<string>
  /** All table functions of the engine, in lower case. */
  tableFunctions: ReadonlySet<string>
}

const MAX_QUERY_CHARACTERS = 256 * 1024
const READS: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN'])
const SHOWN: ReadonlySet<string> = new Set(['TABLES', 'DATABASES', 'COLUMNS', 'CREATE', 'FULL', 'EXTENDED', 'INDEX', 'INDEXES', 'KEYS', 'FUNCTIONS']) // prettier-ignore
/** Words between EXPLAIN and what is explained. */
const EXPLAINS: ReadonlySet<string> = new Set(['AST', 'SYNTAX', 'QUERY', 'TREE', 'PLAN', 'PIPELINE', 'ESTIMATE'])
/** Words that no question has, wherever they stand. */
const NEVER: ReadonlySet<string> = new Set(['OUTFILE', 'INFILE', 'INSERT', 'IMPERSONATE', 'ATTACH', 'DETACH'])
/** Tables of the engine that tell nothing but what there is to ask. */
const SYSTEM: Readonly<Record<string, ReadonlySet<string>>> = {
  system: new Set(['one', 'numbers', 'tables', 'columns', 'databases', 'functions', 'data_type_families', 'parts', 'parts_columns', 'disks', 'formats', 'time_zones', 'settings']), // prettier-ignore
  information_schema: new Set(['tables', 'columns', 'schemata', 'views']),
}
/** Table functions that make rows of nothing, or of a query that is looked at like any other. */
const HARMLESS: ReadonlySet<string> = new Set(['numbers', 'numbers_mt', 'zeros', 'zeros_mt', 'values', 'generateseries', 'generate_series', 'null', 'view', 'format']) // prettier-ignore
/** Functions that look outside of the query, wait, or tell of the machine. */
const OUTSIDE =
  /^(?:file|filesystem\w*|catboost\w*|dict\w*|joinget\w*|hascolumnintable|get(?:setting\w*|serversetting\w*|macro|oskernelversion|maxtable\w*|clienthttpheader|mergetreesetting\w*)|hostname|fqdn|serveruuid|servertimezone|addressto\w+|demangle|buildid|zookeeper\w*|showcertificate|tcpport|ai\w+|llm\w*|executable\w*|sleep\w*|evalmlmethod|modelevaluate|initialize\w+fromfile|displayname|currentroles|currentuser|user|uptime|connectionid|throwif|logtrace|query(?:id|string)?|initialquery\w*|transaction\w*|detect\w*|lemmatize|stem|synonyms)$/
/** The one dictionary there is to ask. */
const NAMES = /^'(?:ovsight\.)?identity_names'$/
/** Settings that change how an answer looks or is made, not what may be read or how much. */
export const SETTINGS: ReadonlySet<string> = new Set(['max_threads', 'max_block_size', 'join_use_nulls', 'session_timezone', 'date_time_output_format', 'date_time_input_format', 'cast_string_to_dynamic_use_inference', 'output_format_json_quote_64bit_integers', 'output_format_json_quote_denormals', 'output_format_json_quote_64bit_floats', 'output_format_json_named_tuples_as_objects', 'output_format_json_array_of_rows', 'prefer_column_name_to_alias', 'extremes', 'transform_null_in', 'cast_keep_nullable', 'aggregate_functions_null_for_empty', 'group_by_use_nulls', 'asterisk_include_alias_columns', 'use_index_for_in_with_subqueries']) // prettier-ignore
/** Formats that are written from rows alone, without a schema or template of a file. */
const FORMATS =
  /^(?:Native|JSON\w*|PrettyJSON\w*|NDJSON|CSV\w*|TSV\w*|TabSeparated\w*|RowBinary\w*|Parquet|Arrow|ArrowStream|Pretty\w*|Vertical|Values|XML|Markdown|LineAsString|Null)$/

/** Throws a Refusal for what does not pass. */
export function checkQuery(sql: string, cage: Cage): void {
  if (sql.length > MAX_QUERY_CHARACTERS) refuse(62, 'SYNTAX_ERROR', 'the query is too long')
  const tokens = withoutEnd(read(sql))
  checkKind(tokens, cage)
  for (const [i, token] of tokens.entries()) {
    if (token.type === 'sign' && token.value === '{') checkFilters(tokens, i, cage)
    if (token.type === 'word') checkWord(token, tokens, i)
    if (token.type === 'placeholder' && /identifier/i.test(token.value))
      refuse(...NOT_HERE, 'names cannot be parameters')
    if (isName(token)) checkName(token, tokens, i, cage)
  }
}

/** Throws a Refusal when answers are not written in the format. */
export function checkFormat(name: string): void {
  if (!FORMATS.test(name)) refuse(73, 'UNKNOWN_FORMAT', `format ${name} is not offered here`)
}

const NOT_HERE = [497, 'ACCESS_DENIED'] as const

function refuse(code: number, name: string, message: string): never {
  throw new Refusal(code, name, message)
}

function read(sql: string): Token[] {
  try {
    return tokensOf(sql)
  } catch (error) {
    if (error instanceof LexError) refuse(62, 'SYNTAX_ERROR', error.message)
    throw error
  }
}

/** One statement: a semicolon may stand at its end only. */
function withoutEnd(tokens: Token[]): Token[] {
  while (tokens.at(-1)?.value === ';' && tokens.at(-1)?.type === 'sign') tokens.pop()
  if (tokens.length === 0) refuse(62, 'SYNTAX_ERROR', 'empty query')
  if (tokens.some(({ type, value }) => type === 'sign' && value === ';'))
    refuse(62, 'SYNTAX_ERROR', 'multi-statements are not allowed')
  return tokens
}

function checkKind(tokens: readonly Token[], cage: Cage): void {
  const words = tokens.map(({ type, value }) => (type === 'word' ? value.toUpperCase() : type === 'sign' ? value : ''))
  const first = words.find((word) => word !== '(') ?? ''
  if (!READS.has(first))
    refuse(
      164,
      'READONLY',
      `only SELECT, SHOW, DESCRIBE and EXPLAIN are answered here, not ${first.slice(0, 20) || 'this'}`,
    )
  const [, second = ''] = words
  if (first === 'SHOW' && !SHOWN.has(second)) refuse(...NOT_HERE, `SHOW ${second.slice(0, 20)} is not answered here`)
  if (first === 'SHOW') checkShown(tokens, cage)
  if (first === 'EXPLAIN') checkExplained(words.slice(1))
}

/** `SHOW TABLES FROM …` of this database alone. */
function checkShown(tokens: readonly Token[], { database, databases }: Cage): void {
  for (const [i, { type, value }] of tokens.entries()) {
    const of = tokens[i + 1]?.value ?? ''
    if (type === 'word' && /^(?:FROM|IN)$/i.test(value) && of !== database && databases.has(of))
      refuse(...NOT_HERE, `${of} cannot be shown here`)
  }
}

/** `AST`, `PLAN indexes = 1, …` and the like, then a SELECT. */
function checkExplained(words: readonly string[]): void {
  let i = 0
  while (EXPLAINS.has(words[i] ?? '')) i++
  // Settings of EXPLAIN: name = value, …
  while (words[i + 1] === '=') i += words[i + 3] === ',' ? 4 : 3
  if (!['SELECT', 'WITH', '('].includes(words[i] ?? '')) refuse(164, 'READONLY', 'only a SELECT is explained here')
}

function checkWord({ value }: Token, tokens: readonly Token[], i: number): void {
  const word = value.toUpperCase()
  if (NEVER.has(word)) refuse(...NOT_HERE, `${word} is not allowed here`)
  if (word === 'SETTINGS') checkSettings(tokens.slice(i + 1))
  const next = tokens[i + 1]
  if (word === 'FORMAT' && next?.type === 'word') checkFormat(next.value)
}

function checkSettings(tokens: readonly Token[]): void {
  for (let i = 0; tokens[i + 1]?.value === '='; i += 4) {
    const name = tokens[i]!.value
    if (name === FILTERS_SETTING) {
      const { end } =
        filtersAt(tokens, i + 2) ?? refuse(164, 'READONLY', `Cannot modify '${name}' setting in readonly mode`)
      i = end - 2
      if (tokens[i + 3]?.value !== ',') return
      continue
    }
    if (!SETTINGS.has(name)) refuse(164, 'READONLY', `Cannot modify '${name.slice(0, 60)}' setting in readonly mode`)
    if (tokens[i + 3]?.value !== ',') return
  }
}

/** Braces hold conditions on ovsight's own tables, and nothing else; a condition is looked at as a query is. */
function checkFilters(tokens: readonly Token[], i: number, cage: Cage): void {
  const found =
    tokens[i - 1]?.value === '=' && tokens[i - 2]?.value === FILTERS_SETTING ? filtersAt(tokens, i) : undefined
  if (found === undefined) refuse(62, 'SYNTAX_ERROR', 'cannot read the query from { on')
  for (const { table, condition } of found.filters) {
    const [name, database = cage.database] = table.split('.').reverse()
    if (database !== cage.database || !/^\w+$/.test(name!) || table.split('.').length > 2)
      refuse(...NOT_HERE, `${table.slice(0, 60)} cannot be filtered here`)
    checkQuery(`SELECT 1 WHERE (${condition}\n)`, cage)
  }
}

function isName({ type }: Token): boolean {
  return type === 'word' || type === 'quoted'
}

/** A function, a table with its database, or a name that is as good as any. */
function checkName({ value }: Token, tokens: readonly Token[], i: number, cage: Cage): void {
  const name = value.toLowerCase()
  const [next, after] = [tokens[i + 1], tokens[i + 2]]
  if (next?.type === 'sign' && next.value === '(') {
    if (OUTSIDE.test(name) && !(name === 'dictget' && NAMES.test(after?.value ?? '')))
      refuse(...NOT_HERE, `the function ${value} is not allowed here`)
    if (cage.tableFunctions.has(name) && !HARMLESS.has(name))
      refuse(...NOT_HERE, `the table function ${value} is not allowed here`)
  }
  if (next?.type !== 'sign' || next.value !== '.' || after === undefined) return
  const database = [...cage.databases].find((one) => one.toLowerCase() === name)
  if (database === undefined || database === cage.database) return
  if (!isName(after) || SYSTEM[name]?.has(after.value.toLowerCase()) !== true)
    refuse(...NOT_HERE, `${value}.${after.value.slice(0, 60)} cannot be asked here; ask the tables of ${cage.database}`)
}
