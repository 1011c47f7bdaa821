import { AppError } from '../errors.ts'
import { FLOWS } from '../schema/ddl.ts'
import { ENTITIES, type EntityName } from './dimensions.ts'
import type { Test, Tree } from './filter/tree.ts'
import { didYouMean } from './nearest.ts'
import { Params, type Asker } from './plan.ts'
import { quoted } from './request.ts'
import { onSums } from './rollup.ts'
import { spanCondition } from './span-condition.ts'
import type { Span } from './times.ts'

/**
 * Names of a filter that several things have: nobody can know which is meant, so the filter is refused and their ids are listed. A
 * name beside `project red` in one conjunction is one within red. `like` asks for all that are called so.
 */
const NAMED = ['project', 'server', 'port', 'network'] as const
type Named = (typeof NAMED)[number]

/** A name that a filter asks for, and the projects that stand beside it; none is any. */
interface Asked {
  readonly field: Named
  readonly name: string
  readonly projects: ReadonlySet<string>
}

interface Known {
  readonly id: string
  readonly name: string
  readonly project_id: string
  readonly project: string
}

/** More ids than these are not listed. */
const MAX_LISTED = 20
const EQUALS: ReadonlySet<string> = new Set(['=', '!=', 'in', 'not in'])

/**
 * Returns what is to be said of names that nothing has in the span. Errors: name_ambiguous; query_failed, store_unreachable.
 */
export async function settleNames(asker: Asker, tree: Tree | undefined, span: Span): Promise<string[]> {
  if (tree === undefined) return []
  const asked = namesOf(tree, new Set())
  const each = await Promise.all(
    NAMED.map(async (field) => {
      const own = asked.filter((one) => one.field === field)
      if (own.length === 0) return []
      const known = await knownAs(asker, field, own.map(({ name }) => name), span) // prettier-ignore
      for (const one of own) settle(one, known)
      const unknown = new Set(own.map(({ name }) => name).filter((name) => !known.some((one) => one.id === name || one.name === name))) // prettier-ignore
      return unknown.size === 0 ? [] : unknownNotes(asker, field, unknown, span)
    }),
  )
  return each.flat()
}

async function unknownNotes(asker: Asker, field: Named, unknown: ReadonlySet<string>, span: Span): Promise<string[]> {
  const names = await namesIn(asker, field, span)
  return [...unknown].map((name) => `no ${field} is called ${quoted(name)} in this span${didYouMean(name, names)}`)
}

/** More names are not listed. */
const MAX_NAMES = 10_000

/** All names of an entity in a span, in order. Errors: query_failed, store_unreachable. */
export async function namesIn(asker: Asker, field: EntityName, span: Span): Promise<string[]> {
  const params = new Params()
  const within = spanCondition(span, params)
  const { name } = ENTITIES[field]
  const parts = ['src', 'dst'].map((side) => `SELECT DISTINCT ${side}_${name} AS name FROM ${FLOWS} WHERE ${within}`)
  const sql = `SELECT DISTINCT name FROM (${parts.join(' UNION ALL ')}) WHERE name != '' ORDER BY name LIMIT ${MAX_NAMES}`
  const { rows } = await asker.query(onSums({ sql, params: params.values }, span, []))
  return rows.map((row) => String(row['name']))
}

function settle({ field, name, projects }: Asked, known: readonly Known[]): void {
  if (known.some(({ id }) => id === name)) return
  const fits = known.filter(
    (one) => one.name === name && (projects.size === 0 || projects.has(one.project) || projects.has(one.project_id)),
  )
  const byId = new Map(fits.map((one) => [one.id, one]))
  if (byId.size < 2) return
  const listed = [...byId.values()]
    .slice(0, MAX_LISTED)
    .map(({ id, project }) =>
      field === 'project' || project === '' ? `${field} ${id}` : `${field} ${id}   of project ${project}`,
    )
  const more = byId.size > MAX_LISTED ? [`and ${byId.size - MAX_LISTED} more`] : []
  const narrow = field === 'project' ? '' : ', or put its project beside it'
  throw new AppError(
    'name_ambiguous',
    `filter: ${byId.size} ${field}s are called ${JSON.stringify(name)}; write the id of the one you mean${narrow}, or ${field} like ${name} for all`,
    { details: [...listed, ...more] },
  )
}

/** Everything that is called so, or has such an id, in the span. */
async function knownAs(asker: Asker, field: Named, names: readonly string[], span: Span): Promise<Known[]> {
  const params = new Params()
  const within = spanCondition(span, params)
  const list = params.bind('Array(String)', [...new Set(names)])
  const { id, name } = ENTITIES[field]
  const parts = ['src', 'dst'].map(
    (side) =>
      `SELECT DISTINCT ${side}_${id} AS id, ${side}_${name} AS name, ${side}_project_id AS project_id, ${side}_project AS project ` +
      `FROM ${FLOWS} WHERE ${within} AND ${side}_${id} != '' AND (${side}_${name} IN ${list} OR ${side}_${id} IN ${list})`,
  )
  const ends = ['src', 'dst'].map((side) => `(${side}_${id}, ${side}_${name}, ${side}_project_id, ${side}_project)`)
  const either = ['src', 'dst'].map((side) => `${side}_${name} IN ${list} OR ${side}_${id} IN ${list}`).join(' OR ')
  // One pass, which a statement of several tables is planned sooner for; records are read sooner once a side.
  const both =
    `SELECT end.1 AS id, end.2 AS name, end.3 AS project_id, end.4 AS project FROM ` +
    `(SELECT DISTINCT arrayJoin([${ends.join(', ')}]) AS end FROM ${FLOWS} WHERE ${within} AND (${either})) ` +
    `WHERE id != '' AND (name IN ${list} OR id IN ${list})`
  const found = (from: string) =>
    `SELECT DISTINCT id, name, project_id, project FROM (${from}) ORDER BY project, id LIMIT 10000`
  const plan = { sql: found(parts.join(' UNION ALL ')), params: params.values }
  const { rows } = await asker.query(onSums(plan, span, [], { form: found(both) }))
  return rows.map((row) => ({
    id: String(row['id']),
    name: String(row['name']),
    project_id: String(row['project_id']),
    project: String(row['project']),
  }))
}

/** The names in a tree. `projects` are those that stand beside it in a conjunction. */
function namesOf(tree: Tree, projects: ReadonlySet<string>): Asked[] {
  if (tree.type === 'not') return namesOf(tree.item, projects)
  if (tree.type === 'or') return tree.items.flatMap((item) => namesOf(item, projects))
  if (tree.type === 'test') return ofTest(tree, projects)
  const beside = tree.items.flatMap((item) =>
    item.type === 'test' && isProject(item) && (item.op === '=' || item.op === 'in') ? item.values.map(String) : [],
  )
  const inner = new Set([...projects, ...beside])
  return tree.items.flatMap((item) => namesOf(item, inner))
}

function isProject({ field }: Test): boolean {
  return field === 'project' || field === 'project_id'
}

function ofTest({ field, op, values }: Test, projects: ReadonlySet<string>): Asked[] {
  const named = NAMED.find((name) => name === field)
  if (named === undefined || !EQUALS.has(op)) return []
  return values
    .map(String)
    .filter((name) => name !== '')
    .map((name) => ({ field: named, name, projects: named === 'project' ? new Set<string>() : projects }))
}
