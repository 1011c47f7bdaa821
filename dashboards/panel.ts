/**
 * Panels as what they say: a question, its SQL, and of what unit each column of the answer is. Everything else that a panel of Grafana has
 * follows from that here, so that no panel is without unit, description, legend or a word for an empty answer.
 */
import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge'
import * as common from '@grafana/grafana-foundation-sdk/common'
import type { DynamicConfigValue, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries'
import { DATASOURCE, asQuery, clickHouseQuery } from './source.ts'

/** Units in Grafana's names. */
export const UNITS = {
  bits_per_second: 'bps',
  packets_per_second: 'pps',
  records_per_second: 'suffix: records/s',
  datagrams_per_second: 'suffix: datagrams/s',
  bytes: 'decbytes',
  count: 'short',
  number: 'none',
  percent: 'percent',
  share: 'percentunit',
  seconds: 's',
  text: 'string',
  time: 'dateTimeAsIso',
} as const
export type Unit = keyof typeof UNITS

/** What the column of an answer is. */
export interface Column {
  unit: Unit
  /** Heading; default: the name with spaces. */
  title?: string
  /** Dashboard and variables that a click leads to, see links.ts. */
  link?: string
  /** Ids that links carry. */
  hidden?: true
  /** Drawn as a bar in its cell. */
  bar?: true
}

interface Common {
  title: string
  /** The question that the panel answers, and how to read the answer. */
  question: string
  /** Columns of the grid of 24, and rows of it. */
  width: number
  height: number
  /** What stands there when there is no answer. */
  empty: string
  thresholds?: readonly Threshold[]
}

/** From `from` on the colour; the first has none. */
export interface Threshold {
  from?: number
  color: 'green' | 'yellow' | 'orange' | 'red' | 'blue'
}

interface Asked extends Common {
  sql: string
  columns: Readonly<Record<string, Column>>
}

/** One figure. */
export interface StatSpec extends Asked {
  kind: 'stat'
}

/** Figures over time: columns, or one column by the labels of the others. */
export interface SeriesSpec extends Asked {
  kind: 'series'
  /** Bars, where steps without records are not among the rows: a line would join what is on both sides of them. */
  asBars?: true
  stack?: boolean
  /** Pairs of columns that are the ends of an error band. */
  bands?: readonly (readonly [low: string, high: string])[]
  /** Least step. */
  interval?: string
  /** Column that names the series. */
  label?: string
}

export interface TableSpec extends Asked {
  kind: 'table'
}

/** The largest of a kind, as bars: a label and a figure. */
export interface BarsSpec extends Asked {
  kind: 'bars'
}

export type PanelSpec = StatSpec | SeriesSpec | TableSpec | BarsSpec

export interface GridPosition {
  x: number
  y: number
}

/** The panel as Grafana has it. */
export function buildPanel(spec: PanelSpec, id: number, { x, y }: GridPosition): Panel {
  const builder = KINDS[spec.kind](spec as never)
  return builder
    .id(id)
    .title(spec.title)
    .description(spec.question)
    .noValue(spec.empty)
    .datasource(DATASOURCE)
    .thresholds(thresholds(spec.thresholds))
    .gridPos({ x, y, w: spec.width, h: spec.height })
    .build()
}

const KINDS = {
  stat: (spec: StatSpec) =>
    new Stat()
      .withTarget(asQuery(clickHouseQuery(spec.sql, 'table')))
      .unit(onlyUnit(spec))
      .colorMode(spec.thresholds === undefined ? common.BigValueColorMode.Value : common.BigValueColorMode.Background)
      .graphMode(common.BigValueGraphMode.None)
      .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull'])),
  series: buildSeries,
  table: (spec: TableSpec) =>
    overridden(new Table(), spec)
      .withTarget(asQuery(clickHouseQuery(spec.sql, 'table')))
      .unit(UNITS.text)
      .filterable(false)
      .cellHeight(common.TableCellHeight.Sm),
  bars: (spec: BarsSpec) =>
    new BarGauge()
      .withTarget(asQuery(clickHouseQuery(spec.sql, 'table')))
      .unit(onlyUnit(spec))
      .displayMode(common.BarGaugeDisplayMode.Gradient)
      .orientation(common.VizOrientation.Horizontal)
      .reduceOptions(new common.ReduceDataOptionsBuilder().values(true).limit(15).calcs(['lastNotNull'])),
} as const

function buildSeries(spec: SeriesSpec): TimeSeries {
  const series = overridden(new TimeSeries(), spec)
    .withTarget(asQuery(clickHouseQuery(spec.sql, 'series')))
    .unit(onlyUnit(spec))
    .min(0)
    .fillOpacity(spec.stack === true ? 60 : 10)
    .interval(spec.interval ?? '10s')
  if (spec.asBars === true) series.drawStyle(common.GraphDrawStyle.Bars).fillOpacity(80)
  if (spec.stack === true) series.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal))
  if (spec.label !== undefined) series.displayName(`\${__field.labels.${spec.label}}`)
  for (const [low, high] of spec.bands ?? []) {
    const edge = [
      { id: 'custom.lineWidth', value: 0 },
      { id: 'custom.fillOpacity', value: 0 },
      { id: 'custom.hideFrom', value: { legend: true, tooltip: false, viz: false } },
    ]
    series.overrideByName(low, edge)
    series.overrideByName(high, [
      ...edge.filter(({ id }) => id !== 'custom.fillOpacity'),
      { id: 'custom.fillBelowTo', value: low },
    ])
  }
  return withLegend(series)
}

function withLegend(series: TimeSeries): TimeSeries {
  return series
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .calcs([]),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    )
}

interface Overridable {
  overrideByName(name: string, properties: DynamicConfigValue[]): unknown
}

/** Heading, unit, link and form of each column. */
function overridden<Of extends Overridable>(panel: Of, { columns }: Asked): Of {
  for (const [name, column] of Object.entries(columns)) {
    const properties: DynamicConfigValue[] = [{ id: 'unit', value: UNITS[column.unit] }]
    const title = column.title ?? name.replaceAll('_', ' ')
    // Links read ids by the name of their column.
    if (column.hidden !== true && title !== name) properties.push({ id: 'displayName', value: title })
    if (column.hidden === true) properties.push({ id: 'custom.hidden', value: true })
    if (column.bar === true)
      properties.push(
        { id: 'custom.cellOptions', value: { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' } },
        { id: 'min', value: 0 },
      )
    if (column.link !== undefined)
      properties.push({ id: 'links', value: [{ title: `Show ${title}`, url: column.link, targetBlank: false }] })
    panel.overrideByName(name, properties)
  }
  return panel
}

/** The unit of the figures, where all have the same. */
function onlyUnit({ title, columns }: Asked): string {
  const units = new Set(Object.values(columns).map(({ unit }) => unit))
  for (const unit of ['text', 'time'] as const) units.delete(unit)
  const [unit, ...others] = units
  if (unit === undefined || others.length > 0) throw new Error(`${title}: figures of one unit, please`)
  return UNITS[unit]
}

function thresholds(given: readonly Threshold[] = [{ color: 'green' }]): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(given.map(({ from, color }) => ({ value: from ?? null, color })))
}
