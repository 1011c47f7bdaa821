/**
 * Grafana's alert rules, as its provisioning reads them. Each asks one question whose rows are labels and one number, and fires for every row
 * whose number passes a threshold.
 *
 * Labels come by environment variables of Grafana's provisioning, so that none has a $ in it; annotations use `.Labels` for the same reason.
 */
import { stringify } from 'yaml'
import { FLOWS } from '../src/schema/ddl.ts'
import { AUDIT, AUDIT_SPAN, COMPLETE, HEALTH, HEALTH_SPAN, UNKNOWN_SHARE } from './health-sql.ts'
import { BREACH, BREACH_COLUMNS, SCANS } from './isolation-sql.ts'
import { DASHBOARDS } from './all.ts'
import { buildDashboard } from './build.ts'
import { FIRST_LABEL, OTHER_LABEL, latest } from './collector.ts'
import { UIDS, type DashboardName } from './links.ts'
import { records, recordsOverTime } from './records.ts'
import { clickHouseQuery, PLUGIN } from './source.ts'
import { shown } from './text-sql.ts'

/** The data source of deploy/grafana/datasources; rules cannot have variables. */
const SOURCE = 'ovsight'
const HOST = `if(exporter_host = '', replaceRegexpOne(toString(exporter), '^::ffff:', ''), exporter_host)`

export interface AlertSpec {
  uid: string
  title: string
  /** Rows of labels (text) and one number. */
  sql: string
  labels: readonly string[]
  /** Seconds that the question looks back. */
  span: number
  fires: { when: 'gt' | 'lt'; than: number }
  /** How long it must hold. */
  for: string
  severity: 'critical' | 'warning'
  summary: string
  /** What to do. */
  todo: string
  /** Panel that shows it. */
  panel: readonly [DashboardName, string]
  /** No row is as bad as the worst one. */
  silenceIsBad?: true
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** What is compared with what is usual. */
const NOW_S = 15 * MINUTE
/** Spans of that length that make something usual: a day of them. */
const USUAL_SPANS = 96
/** Below this nothing is unusual: bits a second. */
const NOT_LITTLE_BPS = 10e6
/** Bytes on a disk; the collector's own limit (disk_free) is below. */
const LITTLE_ROOM = 4e9

export const ALERTS: readonly AlertSpec[] = [
  {
    uid: 'ovsight-exporter-silent',
    title: 'Exporter silent',
    sql: `SELECT ${HOST} AS host, toString(protocol) AS protocol, toFloat64(dateDiff('second', max(minute), $__toTime_ms)) AS silent FROM ${HEALTH} WHERE ${HEALTH_SPAN} AND datagrams > 0 GROUP BY host, protocol`,
    labels: ['host', 'protocol'],
    span: 6 * HOUR,
    fires: { when: 'gt', than: 10 * MINUTE },
    for: '2m',
    severity: 'warning',
    summary: '{{ .Labels.host }} has sent no {{ .Labels.protocol }} for ten minutes',
    todo: 'Is the host up? On it: ovs-vsctl list {{ .Labels.protocol }} shows the targets; ping the collector; ovsight setup prints the lines that make it export. NetFlow is silent while no server on the host talks.',
    panel: ['health', 'Datagrams per second, by host'],
  },
  {
    uid: 'ovsight-completeness',
    title: 'Completeness low',
    sql: `SELECT ${HOST} AS host, toString(h.protocol) AS protocol, assumeNotNull(${COMPLETE}) AS complete FROM ${HEALTH} AS h WHERE ${HEALTH_SPAN} AND exporter != toIPv6('::') GROUP BY host, exporter, h.protocol HAVING ${COMPLETE} IS NOT NULL`,
    labels: ['host', 'protocol'],
    span: 15 * MINUTE,
    fires: { when: 'lt', than: 99 },
    for: '10m',
    severity: 'warning',
    summary: 'less than 99 % of the {{ .Labels.protocol }} of {{ .Labels.host }} arrives',
    todo: 'Sums of its servers are too low by what is missing. Drops in the kernel: raise net.core.rmem_max and receive_buffer. Overload: see the bench, add a collector. Nothing dropped here: the loss is on the way, look at the network.',
    panel: ['health', 'Lost and dropped, a minute'],
  },
  {
    uid: 'ovsight-identity-unknown',
    title: 'Share of unknown ends high',
    sql: UNKNOWN_SHARE,
    labels: [],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 10 },
    for: '10m',
    severity: 'warning',
    summary: 'more than a tenth of the bytes have an end that is not known',
    todo: 'ovsight identity status names the source that is stale or refused; "Why ends are what they are" has the reasons. Often: a new host whose OVSDB is not reached, or a password that ran out.',
    panel: ['health', 'Why ends are what they are'],
  },
  {
    uid: 'ovsight-identity-stale',
    title: 'Identity stale',
    sql: `SELECT ${FIRST_LABEL} AS source, ${OTHER_LABEL} AS target, toFloat64(max(value)) AS age FROM ${latest('ovsight_identity_source_age_seconds')} GROUP BY source, target`,
    labels: ['source', 'target'],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 15 * MINUTE },
    for: '5m',
    severity: 'warning',
    summary: 'the identity source {{ .Labels.source }} {{ .Labels.target }} was not heard for a quarter of an hour',
    todo: 'ovsight identity status says why. Often a host that is down, an OVSDB that is not reached, or a password that ran out. New servers and moved addresses are not known until it is back; records wait for it (late_window).',
    panel: ['health', 'Identity sources and their age'],
  },
  {
    uid: 'ovsight-audit',
    title: 'Audit disagrees',
    sql: `SELECT server, port, toString(direction) AS direction, toString(cause) AS cause, toFloat64(count()) AS spans FROM ${AUDIT} WHERE ${AUDIT_SPAN} AND verdict IN ('short', 'over') GROUP BY server, port, direction, cause`,
    labels: ['server', 'port', 'direction', 'cause'],
    span: HOUR,
    fires: { when: 'gt', than: 2 },
    for: '5m',
    severity: 'warning',
    summary:
      'flows and interface counter of {{ .Labels.server }} ({{ .Labels.port }}, {{ .Labels.direction }}) disagree: {{ .Labels.cause }}',
    todo: 'Open the server on the dashboard Server and port: the column note says what speaks for the cause. Until it is mended its figures are off by what the row says.',
    panel: ['health', 'Audit'],
  },
  {
    uid: 'ovsight-store',
    title: 'Nothing stored',
    sql: `SELECT toFloat64(dateDiff('second', max(time_received), $__toTime_ms)) AS age FROM ${FLOWS} WHERE flow_end >= $__fromTime_ms AND flow_end < $__toTime_ms HAVING count() > 0`,
    labels: [],
    span: HOUR,
    fires: { when: 'gt', than: 5 * MINUTE },
    for: '2m',
    severity: 'critical',
    summary: 'no record was stored for five minutes',
    todo: 'systemctl status ovsight; journalctl -u ovsight says whether the store refuses. Flows wait in the spool (ovsight_spool_bytes) until spool_max, then the oldest are lost: mend the store first.',
    panel: ['health', 'Newest record'],
    silenceIsBad: true,
  },
  {
    uid: 'ovsight-spool',
    title: 'Spool growing',
    sql: `SELECT collector, toFloat64(max(value)) AS lag FROM ${latest('ovsight_insert_lag_seconds')} GROUP BY collector`,
    labels: ['collector'],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 2 * MINUTE },
    for: '5m',
    severity: 'warning',
    summary: 'blocks of {{ .Labels.collector }} wait for the store for more than two minutes',
    todo: 'The store is slower than the exports, or away now and then: look at its disk, its merges and its log. What waits is safe until spool_max, then the oldest is lost.',
    panel: ['health', 'Insert lag'],
  },
  {
    uid: 'ovsight-disk',
    title: 'Disk of the store nearly full',
    sql: `SELECT collector, label AS disk, toFloat64(min(value)) AS free FROM ${latest('ovsight_store_free_bytes')} GROUP BY collector, disk`,
    labels: ['collector', 'disk'],
    span: 15 * MINUTE,
    fires: { when: 'lt', than: LITTLE_ROOM },
    for: '10m',
    severity: 'warning',
    summary: 'the disk {{ .Labels.disk }} of the store of {{ .Labels.collector }} has less than 4 GB left',
    todo: 'Keep records for a shorter time (keep_flows), or give the store more disk. Below disk_free the collector removes the oldest day of records, since a full disk takes no new ones.',
    panel: ['health', 'Room on the disks of the store'],
  },
  {
    uid: 'ovsight-rows-lost',
    title: 'Rows lost before the store',
    sql: `SELECT toFloat64(sum(rows_dropped)) AS lost_rows FROM ${HEALTH} WHERE ${HEALTH_SPAN} HAVING count() > 0`,
    labels: [],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 0 },
    for: '0s',
    severity: 'critical',
    summary: 'the spool was full and rows were lost',
    todo: 'The store did not take them for too long. Look at the disk and the load of the store; raise spool_max if there is room.',
    panel: ['health', 'Lost and dropped, a minute'],
  },
  {
    uid: 'ovsight-unusual',
    title: 'Project above its usual level',
    sql: `SELECT project, 8 * last / ${NOW_S} / greatest(${NOT_LITTLE_BPS}, 8 * usual / ${NOW_S}) AS times FROM (SELECT max(name) AS project, sumIf(b, slot = 0) AS last, (sumIf(b, slot > 0) + 3 * sqrt(greatest(0, count_ * sumIf(b * b, slot > 0) - pow(sumIf(b, slot > 0), 2)))) / count_ AS usual, uniqExactIf(slot, slot > 0) AS seen, toFloat64(${(7 * DAY) / NOW_S - 1}) AS count_ FROM (SELECT src_project_id AS id, any(src_project) AS name, toUInt32(intDiv(dateDiff('second', time, $__toTime_ms), ${NOW_S})) AS slot, toFloat64(sum(bytes)) AS b FROM ${recordsOverTime('src_project_id', 'src_project', 'counts_sent')} WHERE counts_sent = 1 AND src_project_id != '' GROUP BY id, slot) GROUP BY id HAVING seen >= ${USUAL_SPANS})`,
    labels: ['project'],
    span: 7 * DAY,
    fires: { when: 'gt', than: 1 },
    for: '15m',
    severity: 'warning',
    summary: '{{ .Labels.project }} sends more than it ever did in a week (mean and three standard deviations)',
    todo: 'A backup, a new service, or a server that was taken over: Tenant shows where to. Its share of the uplinks tells whether others suffer.',
    panel: ['tenant', 'Sent and received, with the error of sampling'],
  },
  {
    uid: 'ovsight-isolation',
    title: 'Tenants talk without a path',
    sql: `SELECT src_project AS source, dst_project AS destination, any(src_server) AS server, toFloat64(sum(records)) AS flows FROM ${records(...BREACH_COLUMNS, 'src_project', 'dst_project', 'src_server')} WHERE ${BREACH} GROUP BY source, destination`,
    labels: ['source', 'destination', 'server'],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 0 },
    for: '0s',
    severity: 'critical',
    summary: '{{ .Labels.server }} of {{ .Labels.source }} reaches {{ .Labels.destination }} though nothing joins them',
    todo: 'Isolation lists the pairs. Look at the local VLANs of both ports (ovs-vsctl list port), at the flows of br-int, and at allowed address pairs.',
    panel: ['isolation', 'Between projects without a path'],
  },
  {
    uid: 'ovsight-borrowed',
    title: 'Borrowed addresses',
    sql: `SELECT src_project AS project, src_server AS server, ${shown('src')} AS address, toFloat64(sum(records)) AS flows FROM ${records('src_project', 'src_server', 'src_addr', 'src_grade')} WHERE src_grade = 'port_unverified' GROUP BY project, server, address`,
    labels: ['project', 'server', 'address'],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 2 },
    for: '0s',
    severity: 'warning',
    summary: '{{ .Labels.server }} of {{ .Labels.project }} sends from {{ .Labels.address }}, which is not its own',
    todo: 'Is port security on? A router or a VPN in a server is harmless: add its networks as allowed address pairs, and they are known.',
    panel: ['isolation', 'Borrowed addresses'],
  },
  {
    uid: 'ovsight-scan',
    title: 'Scan',
    sql: `SELECT source, project, sort, toFloat64(greatest(addresses, ports)) AS tried FROM (${SCANS})`,
    labels: ['source', 'project', 'sort'],
    span: 15 * MINUTE,
    fires: { when: 'gt', than: 0 },
    for: '0s',
    severity: 'warning',
    summary: '{{ .Labels.source }} of {{ .Labels.project }} tries {{ .Labels.sort }}',
    todo: 'Conversations, searched for the source, shows whom it tried. Monitoring and crawlers look like that too.',
    panel: ['isolation', 'Scans'],
  },
]

/** deploy/grafana/provisioning/alerting/rules.yaml. */
export function alertRules(): string {
  const rules = ALERTS.map(rule)
  const head = '# Written from dashboards/alerts.ts (npm run dashboards); a test holds it equal.\n'
  const groups = [{ orgId: 1, name: 'ovsight', folder: 'ovsight', interval: '1m', rules }]
  return head + stringify({ apiVersion: 1, groups }, { lineWidth: 0 })
}

function rule(spec: AlertSpec): object {
  const { uid, title, sql, span, fires, severity, summary, todo, panel } = spec
  return {
    uid,
    title,
    condition: 'B',
    for: spec.for,
    noDataState: spec.silenceIsBad === true ? 'Alerting' : 'OK',
    execErrState: 'Error',
    labels: { severity, source: 'ovsight' },
    dashboardUid: UIDS[panel[0]],
    panelId: panelId(panel),
    annotations: { summary, description: todo, __dashboardUid__: UIDS[panel[0]], __panelId__: String(panelId(panel)) },
    notification_settings: { receiver: 'ovsight', group_by: ['grafana_folder', 'alertname'] },
    data: [
      {
        refId: 'A',
        relativeTimeRange: { from: span, to: 0 },
        datasourceUid: SOURCE,
        model: {
          ...clickHouseQuery(sql, 'table', { type: PLUGIN, uid: SOURCE }),
          intervalMs: 60_000,
          maxDataPoints: 1000,
        },
      },
      {
        refId: 'B',
        relativeTimeRange: { from: span, to: 0 },
        datasourceUid: '__expr__',
        model: {
          refId: 'B',
          type: 'threshold',
          expression: 'A',
          datasource: { type: '__expr__', uid: '__expr__' },
          conditions: [{ type: 'query', evaluator: { type: fires.when, params: [fires.than] } }],
        },
      },
    ],
  }
}

/** The number of a panel by its title. */
function panelId([name, title]: readonly [DashboardName, string]): number {
  const { panels = [] } = buildDashboard(DASHBOARDS.find((spec) => spec.name === name)!)
  const panel = panels.find((one) => one.title === title)
  if (panel?.id === undefined) throw new Error(`no panel ${title} in ${name}`)
  return panel.id
}
