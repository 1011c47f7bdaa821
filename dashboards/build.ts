/** A dashboard from its rows of panels: places on the grid, ids, variables, links, annotations. */
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import { UIDS, type DashboardName } from './links.ts'
import { buildPanel, type PanelSpec } from './panel.ts'
import { clickHouseQuery, DATASOURCE } from './source.ts'
import { buildVariable, VARIABLES, type VariableName } from './variables.ts'

export interface RowSpec {
  title: string
  panels: readonly PanelSpec[]
}

export interface AnnotationSpec {
  name: string
  color: string
  /** Rows of time, text and tags. */
  sql: string
}

export interface DashboardSpec {
  name: DashboardName
  title: string
  doc: string
  variables: readonly VariableName[]
  annotations?: readonly AnnotationSpec[]
  rows: readonly RowSpec[]
}

const GRID = 24
const TAG = 'ovsight'

/** The dashboard as Grafana reads it. */
export function buildDashboard(spec: DashboardSpec): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(`ovsight: ${spec.title}`)
    .uid(UIDS[spec.name])
    .description(spec.doc)
    .tags([TAG])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('1m')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .readonly()
    .link(
      new dashboard.DashboardLinkBuilder('ovsight')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true)
        .icon('external link')
        .tooltip('The other dashboards, for the same span and selection'),
    )
    .variables(spec.variables.map((name) => buildVariable(VARIABLES[name])))
  const built = builder.build()
  built.panels = layOut(spec.rows)
  built.annotations = { list: (spec.annotations ?? []).map(annotation) }
  return built
}

/** Panels from left to right, a new line where the next does not fit, a row's title above. */
function layOut(rows: readonly RowSpec[]): (dashboard.Panel | dashboard.RowPanel)[] {
  const placed: (dashboard.Panel | dashboard.RowPanel)[] = []
  let id = 1
  let y = 0
  for (const { title, panels } of rows) {
    placed.push(new dashboard.RowBuilder(title).id(id++).gridPos({ x: 0, y: y++, w: GRID, h: 1 }).build())
    let x = 0
    let lineHeight = 0
    for (const spec of panels) {
      if (x + spec.width > GRID) {
        y += lineHeight
        x = lineHeight = 0
      }
      placed.push(buildPanel(spec, id++, { x, y }))
      x += spec.width
      lineHeight = Math.max(lineHeight, spec.height)
    }
    y += lineHeight
  }
  return placed
}

/** The SDK's annotations are Grafana's own; one that asks a data source has a target like a panel. */
function annotation({ name, color, sql }: AnnotationSpec): dashboard.AnnotationQuery {
  const base = new dashboard.AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .hide(false)
    .iconColor(color)
    .build()
  return { ...base, target: clickHouseQuery(sql, 'table') } as unknown as dashboard.AnnotationQuery
}
