/**
 * Lists as the command line clients print them, to entries with the field names of the APIs: the boxes of `nova list` and
 * `openstack … list`, and the JSON of `-f json`. What a list is of is told by its columns.
 */

export type ListKind = 'servers' | 'ports' | 'networks' | 'subnets' | 'projects'

export interface ClientList {
  kind: ListKind
  entries: Record<string, unknown>[]
}

/** Column titles of the clients (lower case) → field names of the APIs. */
const FIELDS: Readonly<Record<string, string>> = {
  id: 'id',
  name: 'name',
  status: 'status',
  'mac address': 'mac_address',
  mac_address: 'mac_address',
  'fixed ip addresses': 'fixed_ips',
  'fixed ips': 'fixed_ips',
  fixed_ips: 'fixed_ips',
  'device id': 'device_id',
  device_id: 'device_id',
  'device owner': 'device_owner',
  device_owner: 'device_owner',
  'network id': 'network_id',
  network_id: 'network_id',
  network: 'network_id',
  'project id': 'project_id',
  project_id: 'project_id',
  project: 'project_id',
  'tenant id': 'project_id',
  tenant_id: 'project_id',
  subnet: 'cidr',
  cidr: 'cidr',
  subnets: 'subnets',
  networks: 'networks',
  host: 'host',
}

/**
 * The list in `text`, or a sentence on why it is none. Entries keep only fields that an identity file has; addresses are
 * `{ip_address, subnet_id}` objects, a server's `networks` a map of network name to addresses.
 */
export function parseClientList(text: string): ClientList | string {
  const rows = text.trimStart().startsWith('[') ? fromJson(text) : fromBox(text)
  if (typeof rows === 'string') return rows
  const entries = rows.map(rename)
  const first = entries[0]
  if (first === undefined) return 'the list is empty'
  const kind = kindOf(first)
  if (kind === undefined) return `its columns (${Object.keys(rows[0]!).join(', ')}) are those of no list that is known`
  for (const entry of entries) {
    if ('fixed_ips' in entry) entry['fixed_ips'] = addressesOf(entry['fixed_ips'])
    if ('networks' in entry) entry['networks'] = networksOf(entry['networks'])
  }
  return { kind, entries }
}

function fromJson(text: string): Record<string, unknown>[] | string {
  try {
    const parsed: unknown = JSON.parse(text)
    return Array.isArray(parsed)
      ? parsed.filter((row): row is Record<string, unknown> => typeof row === 'object' && row !== null)
      : 'not a list'
  } catch (error) {
    return `not JSON: ${(error as Error).message}`
  }
}

/** The ASCII box of PrettyTable: rules of + and -, cells between |. A cell that goes on in the next row is not joined. */
function fromBox(text: string): Record<string, unknown>[] | string {
  const lines = text.split('\n').filter((line) => line.trim().startsWith('|'))
  const cells = (line: string) =>
    line
      .trim()
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim())
  if (lines.length === 0) return 'neither JSON nor a table with | between the columns'
  const titles = cells(lines[0]!)
  return lines.slice(1).map((line) => Object.fromEntries(cells(line).map((cell, i) => [titles[i] ?? '', cell])))
}

function rename(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).flatMap(([key, value]) => {
      const field = FIELDS[key.toLowerCase()]
      return field === undefined ? [] : [[field, value]]
    }),
  )
}

function kindOf(entry: Record<string, unknown>): ListKind | undefined {
  if (!('id' in entry)) return undefined
  if ('mac_address' in entry) return 'ports'
  if ('networks' in entry) return 'servers'
  if ('cidr' in entry) return 'subnets'
  if ('subnets' in entry) return 'networks'
  return 'name' in entry && Object.keys(entry).every((key) => key === 'id' || key === 'name') ? 'projects' : undefined
}

/** `[{subnet_id, ip_address}]`, its JSON as a string, or `ip_address='…', subnet_id='…'` one after another. */
function addressesOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value
  const text = typeof value === 'string' ? value : ''
  const one = /ip_address["']?\s*[:=]\s*["']([^"']+)["']/g
  const subnets = [...text.matchAll(/subnet_id["']?\s*[:=]\s*["']([^"']+)["']/g)].map((match) => match[1])
  return [...text.matchAll(one)].map((match, i) => ({ ip_address: match[1], subnet_id: subnets[i] ?? '' }))
}

/** `net1=192.168.10.8, 172.16.2.3; net2=…` or `{"net1": ["192.168.10.8"]}`. */
function networksOf(value: unknown): Record<string, string[]> {
  if (typeof value === 'object' && value !== null) return value as Record<string, string[]>
  const text = typeof value === 'string' ? value : ''
  return Object.fromEntries(
    text.split(';').flatMap((part) => {
      const [name, addresses] = part.split('=')
      return addresses === undefined ? [] : [[name!.trim(), addresses.split(',').map((address) => address.trim())]]
    }),
  )
}
