/**
 * The lists of the OpenStack APIs as sections of the cloud model. The identity file uses the same field names, so the same
 * schemas read both; but here one odd entry costs only itself, since nobody can mend an API's answer.
 */
import type { z } from 'zod'
import { SECTIONS, type CloudModel } from '../../cloud.ts'
import type { CloudLists } from './read.ts'

export type CloudSections = Omit<CloudModel, 'ovs' | 'tunnelKeys'>

export interface ConvertedCloud {
  sections: CloudSections
  /** Entries that could not be used: list, id and why. */
  warnings: string[]
}

/** The first ones are named, the rest counted: a cloud-wide oddity is one line, not 200,000. */
const MAX_WARNINGS = 20

/**
 * `ovsdb` gives the OVSDB server of a host from its tunnel address, `tcp:{address}:6640`; `{host}` stands for its name.
 * Without it hosts have no OVSDB.
 */
export function toSections(lists: CloudLists, ovsdb?: string): ConvertedCloud {
  const warnings: string[] = []
  let refused = 0
  const convert = <S extends z.ZodType>(name: string, section: S, entries: readonly unknown[]): z.output<S> => {
    const all = section.safeParse(entries)
    if (all.success) return all.data
    const good = entries.filter((entry) => {
      const one = section.safeParse([entry])
      if (one.success) return true
      refused++
      if (warnings.length < MAX_WARNINGS) warnings.push(`${name} ${idOf(entry)} is left out: ${reason(one.error)}`)
      return false
    })
    return section.parse(good)
  }
  const agents = convert('agents', SECTIONS.agents, lists.agents)
  const servers = convert('servers', SECTIONS.servers, lists.servers)
  const sections: CloudSections = {
    hosts: SECTIONS.hosts.parse(hostsOf(agents, ovsdb)),
    projects: convert('projects', SECTIONS.projects, lists.projects),
    networks: convert('networks', SECTIONS.networks, lists.networks),
    segments: convert('segments', SECTIONS.segments, lists.segments),
    subnets: convert('subnets', SECTIONS.subnets, lists.subnets),
    ports: convert('ports', SECTIONS.ports, lists.ports),
    servers,
    routers: convert('routers', SECTIONS.routers, lists.routers),
    floatingips: convert('floatingips', SECTIONS.floatingips, lists.floatingips),
    trunks: convert('trunks', SECTIONS.trunks, lists.trunks),
    agents,
  }
  if (refused > warnings.length) warnings.push(`${refused - warnings.length} more entries are left out`)
  return { sections, warnings }
}

/** A host for every host of an agent, with its tunnel addresses. */
function hostsOf(agents: CloudSections['agents'], ovsdb: string | undefined): object[] {
  const addresses = new Map<string, Set<string>>()
  for (const agent of agents) {
    const own = addresses.get(agent.host) ?? new Set()
    if (agent.configurations.tunneling_ip !== '') own.add(agent.configurations.tunneling_ip)
    addresses.set(agent.host, own)
  }
  return [...addresses].map(([name, own]) => {
    const [address] = own
    const target =
      address === undefined ? undefined : ovsdb?.replaceAll('{address}', address).replaceAll('{host}', name)
    return { name, addresses: [...own], ...(target === undefined ? {} : { ovsdb: target }) }
  })
}

/**
 * What a file says over what the APIs say: an entry of the file replaces the one with the same id (or host name), and the
 * rest stands beside it.
 */
export function mergeSections(base: CloudSections, over: CloudSections): CloudSections {
  const key = (entry: object) => JSON.stringify('id' in entry ? entry.id : 'name' in entry ? entry.name : entry)
  const merged = Object.keys(SECTIONS).map((section) => {
    const name = section as keyof CloudSections
    const entries = new Map<string, object>()
    for (const entry of [...base[name], ...over[name]]) entries.set(key(entry), entry)
    return [name, [...entries.values()]]
  })
  return Object.fromEntries(merged)
}

function idOf(entry: unknown): string {
  return typeof entry === 'object' && entry !== null && 'id' in entry ? JSON.stringify(entry.id) : 'without an id'
}

function reason(error: z.ZodError): string {
  const [issue] = error.issues
  return issue === undefined ? 'not understood' : `${issue.path.slice(1).join('.')}: ${issue.message}`
}
