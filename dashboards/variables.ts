/**
 * What can be selected. Values are ids, which are made of letters, digits and dashes; names are only shown: so two of one name are
 * kept apart, and what a tenant calls a server never becomes part of a question.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import { FLOWS } from '../src/schema/ddl.ts'
import { SPAN } from './records.ts'
import { DATASOURCE, PLUGIN } from './source.ts'

export interface VariableSpec {
  name: string
  label: string
  doc: string
  /** Rows of value and text; undefined for what is typed or built in. */
  sql?: string
  all?: boolean
  type?: 'query' | 'text' | 'adhoc' | 'datasource'
}

/** Values and names of the entities of the span, of either side. */
function idsOf(id: string, name: string, extra = ''): string {
  const side = (one: string) =>
    `SELECT ${one}_${id} AS value, ${name.replaceAll('#', one)} AS text FROM ${FLOWS} WHERE ${SPAN} AND ${one}_${id} != ''${extra.replaceAll('#', one)}`
  return `SELECT value, max(text) AS text FROM (${side('src')} UNION ALL ${side('dst')}) GROUP BY value ORDER BY text, value LIMIT 5000`
}

const NAMED = (what: string, of: string) => `concat(#_${what}, ' (', #_${of}, ')')`

export const VARIABLES = {
  datasource: {
    name: 'datasource',
    label: 'Data source',
    doc: 'The ClickHouse data source with the flows.',
    type: 'datasource',
  },
  project: { name: 'project', label: 'Project', doc: 'Whose traffic is shown.', sql: idsOf('project_id', '#_project') },
  server: {
    name: 'server',
    label: 'Server',
    doc: 'Whose traffic is shown.',
    sql: idsOf('server_id', NAMED('server', 'project')),
  },
  port: {
    name: 'port',
    label: 'Port',
    doc: 'One port of the server, or all.',
    sql: idsOf('port_id', '#_port', " AND #_server_id = '${server}'"),
    all: true,
  },
  network: {
    name: 'network',
    label: 'Network',
    doc: 'Whose traffic is shown.',
    sql: idsOf('network_id', NAMED('network', 'project')),
  },
  host: {
    name: 'host',
    label: 'Host',
    doc: 'One host of the cloud, or all.',
    sql: idsOf('host', '#_host'),
    all: true,
  },
  projects: {
    name: 'project',
    label: 'Project',
    doc: 'One project, or all.',
    sql: idsOf('project_id', '#_project'),
    all: true,
  },
  search: {
    name: 'search',
    label: 'Search',
    doc: 'Part of the name of a server, project or network, or an address.',
    type: 'text',
  },
  filters: { name: 'filters', label: 'Filter', doc: 'Conditions on any column of the flows.', type: 'adhoc' },
} as const satisfies Record<string, VariableSpec>
export type VariableName = keyof typeof VARIABLES

export function buildVariable(spec: VariableSpec): Builder<dashboard.VariableModel> {
  const { name, label, doc, sql, all, type = 'query' } = spec
  if (type === 'datasource')
    return new dashboard.DatasourceVariableBuilder(name).type(PLUGIN).label(label).description(doc)
  if (type === 'text') return new dashboard.TextBoxVariableBuilder(name).label(label).description(doc).defaultValue('')
  if (type === 'adhoc')
    return new dashboard.AdHocVariableBuilder(name).label(label).description(doc).datasource(DATASOURCE)
  const query = new dashboard.QueryVariableBuilder(name)
    .label(label)
    .description(doc)
    .datasource(DATASOURCE)
    .query(sql!)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.Disabled)
  return all === true ? query.includeAll(true).multi(false).current({ text: 'All', value: '$__all' }) : query
}
