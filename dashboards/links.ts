/** Links between dashboards. All carry the span of time, the data source, and what was selected. */

/** Uids of the dashboards, as links and provisioning know them. */
export const UIDS = {
  overview: 'ovsight-overview',
  tenant: 'ovsight-tenant',
  server: 'ovsight-server',
  network: 'ovsight-network',
  conversations: 'ovsight-conversations',
  isolation: 'ovsight-isolation',
  health: 'ovsight-health',
} as const
export type DashboardName = keyof typeof UIDS

/** A link from a cell: `variable` of the target gets the value of the column `field` of the same row. */
export function linkTo(target: DashboardName, selection: Readonly<Record<string, string>>): string {
  const variables = Object.entries(selection).map(([variable, field]) => `var-${variable}=\${__data.fields.${field}}`)
  return `/d/${UIDS[target]}?\${__url_time_range}&var-datasource=\${datasource}&${variables.join('&')}`
}
