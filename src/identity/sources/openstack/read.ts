/**
 * Whole lists and changes of an OpenStack cloud, or a fault: an answer with less than everything is refused, because what is
 * missing would look deleted.
 */
import { z } from 'zod'
import { AppError } from '../../../errors.ts'
import { LIST_NAMES, listFacts, type Entry, type ListFacts, type ListName } from './lists.ts'
import type { CloudSession } from './session.ts'

// 10 million entries in pages of 1000.
const MAX_PAGES = 10_000
/** A full list with fewer entries than this share of the last one is not believed at once … */
const PLAUSIBLE_SHARE = 0.5
/** … if the last one had at least this many. */
const PLAUSIBLE_FROM = 20

const LINKS = z.array(z.looseObject({ rel: z.string(), href: z.string() }))
const ENTRIES = z.array(z.looseObject({ id: z.string() }))

/** All lists of a cloud. */
export type CloudLists = Readonly<Record<ListName, readonly Entry[]>>

/** How many entries each list had when it was last believed. */
export type ListSizes = Partial<Record<ListName, number>>

/**
 * Every list, in full. `last` holds the sizes of the last full read: a list that fell below half of it is refused once
 * (cloud_incomplete), and believed when the caller asks again with `confirmed`.
 * Errors: cloud_denied, cloud_refused, cloud_unreachable, cloud_incomplete.
 */
export async function readCloud(session: CloudSession, last: ListSizes = {}, confirmed = false): Promise<CloudLists> {
  const lists: Partial<Record<ListName, readonly Entry[]>> = {}
  for (const name of LIST_NAMES) {
    const entries = await readList(session, name)
    const before = last[name] ?? 0
    if (!confirmed && before >= PLAUSIBLE_FROM && entries.length < before * PLAUSIBLE_SHARE) {
      throw new AppError(
        'cloud_incomplete',
        `${name}: ${entries.length} entries, but there were ${before}; asking again before believing it`,
      )
    }
    lists[name] = entries
  }
  const whole = lists as CloudLists
  await refusePartial(session, whole)
  return whole
}

/** One whole list, following the paging links. */
export async function readList(session: CloudSession, name: ListName): Promise<readonly Entry[]> {
  const facts = listFacts(name)
  try {
    return await readPages(session, facts, startPath(facts))
  } catch (error) {
    if (facts.extension === true && error instanceof AppError && error.message.includes(' answered 404 ')) return []
    throw error
  }
}

/** What changed in a list since `since`; deleted servers come with status DELETED, everything else only by its absence from a full list. */
export async function readChanges(session: CloudSession, name: ListName, since: Date): Promise<readonly Entry[]> {
  const facts = listFacts(name)
  if (facts.changedSince === undefined) return readList(session, name)
  const iso = since.toISOString().replace(/\.\d+Z$/, 'Z')
  return readPages(session, facts, `${startPath(facts)}&${facts.changedSince}=${encodeURIComponent(iso)}`)
}

async function readPages(session: CloudSession, facts: ListFacts, first: string): Promise<readonly Entry[]> {
  const byId = new Map<string, Entry>()
  let path: string | undefined = first
  for (let page = 0; path !== undefined; page++) {
    if (page >= MAX_PAGES)
      throw new AppError('cloud_incomplete', `${facts.service} ${facts.path}: more than ${MAX_PAGES} pages`)
    const answer = (await session.get(facts.service, path, facts.headers)) as Record<string, unknown> | null
    const entries = ENTRIES.safeParse(answer?.[facts.key])
    if (!entries.success) {
      throw new AppError(
        'cloud_incomplete',
        `${facts.service} ${facts.path}: the answer has no list "${facts.key}" of things with an id`,
      )
    }
    const before = byId.size
    for (const entry of entries.data) byId.set(entry.id, entry)
    path = nextPage(answer, facts.key)
    // Where paging is off the marker is ignored and the same page comes for ever; an exactly full last page leads to an empty one.
    if (byId.size === before && page > 0) path = undefined
  }
  return [...byId.values()]
}

function nextPage(answer: Record<string, unknown> | null, key: string): string | undefined {
  const links = LINKS.safeParse(answer?.[`${key}_links`])
  return links.success ? links.data.find((link) => link.rel === 'next')?.href : undefined
}

function startPath({ path, query }: ListFacts): string {
  const parts = Object.entries(query).flatMap(([key, value]) =>
    (typeof value === 'string' ? [value] : value).map((one) => `${encodeURIComponent(key)}=${encodeURIComponent(one)}`),
  )
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`
}

// Neutron answers a reader with 200 and a silently partial list: its own project's ports, or none at all.
async function refusePartial(session: CloudSession, lists: CloudLists): Promise<void> {
  const advice = async () => {
    const roles = await session.roles()
    return [`the login has the roles ${roles.join(', ')} and sees only its own project: give ovsight the admin role`]
  }
  for (const name of LIST_NAMES) {
    const missing = lists[name].length === 0 ? undefined : listFacts(name).adminFields
    if (missing !== undefined && !lists[name].some((entry) => missing.some((field) => field in entry))) {
      throw new AppError(
        'cloud_denied',
        `the ${name} of cloud ${session.config.name} come without ${missing.join(', ')}, so they are not all of them`,
        {
          details: await advice(),
        },
      )
    }
  }
  if (lists.agents.length === 0 || (lists.ports.length === 0 && lists.servers.length > 0)) {
    const what = lists.agents.length === 0 ? 'no network agents' : 'servers, but no ports'
    throw new AppError('cloud_denied', `cloud ${session.config.name} shows ${what}: the lists are not complete`, {
      details: await advice(),
    })
  }
}
