/** What a project, network, server or port is at a moment, in the words of the table `identity_history`. */
import { setImmediate as turn } from 'node:timers/promises'
import type { CloudModel, Port } from '../identity/cloud.ts'
import type { IDENTITY_TABLE } from '../schema/identity-tables.ts'
import type { SideRow } from '../schema/rows.ts'

export type HistoryRow = SideRow<typeof IDENTITY_TABLE>
export type StateKind = 'project' | 'network' | 'server' | 'port'

/** The part of the model that has states. */
export type Named = Pick<CloudModel, 'projects' | 'networks' | 'servers' | 'ports'>

/** All that a row says but when. */
export interface State {
  kind: StateKind
  id: string
  name: string
  project_id: string
  project: string
  network_id: string
  server_id: string
  host: string
  mac: number
  addresses: string
}

/** Entries between two turns of the pipeline: a few milliseconds. */
const SLICE = 5_000
const NOTHING = { network_id: '', server_id: '', host: '', mac: 0, addresses: '' } as const

/** Every state of the model, given to `tell`. Gives way between slices. */
export async function eachState(
  { projects, networks, servers, ports }: Named,
  tell: (state: State) => void,
): Promise<void> {
  const names = new Map(projects.map(({ id, name }) => [id, name]))
  const owner = (id: string) => ({ project_id: id, project: names.get(id) ?? '' })
  let done = 0
  const each = async <T>(entries: readonly T[], stateOf: (entry: T) => State) => {
    for (const entry of entries) {
      tell(stateOf(entry))
      if (++done % SLICE === 0) await turn()
    }
  }
  await each(projects, ({ id, name }) => ({ ...NOTHING, kind: 'project', id, name, ...owner(id) }))
  await each(networks, ({ id, name, project_id }) => ({
    ...NOTHING,
    kind: 'network',
    id,
    name,
    ...owner(project_id),
    network_id: id,
  }))
  await each(servers, ({ id, name, tenant_id, 'OS-EXT-SRV-ATTR:host': host }) => ({
    ...NOTHING,
    kind: 'server',
    id,
    name,
    ...owner(tenant_id),
    server_id: id,
    host,
  }))
  const known = new Set(servers.map(({ id }) => id))
  await each(ports, (port) => portState(port, owner(port.project_id), known))
}

function portState(port: Port, owner: Pick<State, 'project_id' | 'project'>, servers: ReadonlySet<string>): State {
  const { device_id: device, device_owner: of } = port
  return {
    kind: 'port',
    id: port.id,
    name: port.name,
    ...owner,
    network_id: port.network_id,
    server_id: of.startsWith('compute:') || servers.has(device) ? device : '',
    host: port['binding:host_id'],
    mac: Number.parseInt(port.mac_address.replaceAll(/[^0-9a-fA-F]/g, ''), 16),
    addresses: port.fixed_ips.map(({ ip_address }) => ip_address).join(','),
  }
}

/** Two states are the same when this is. */
export function signature({ name, project_id, project, network_id, server_id, host, mac, addresses }: State): string {
  return [name, project_id, project, network_id, server_id, host, mac, addresses].join('\n')
}
