/**
 * THE list of migrations. A number is given once and for ever; a change of the column table that databases in use must follow gets a
 * new one, even where `align` (align.ts) does its work, so that an older ovsight refuses the database.
 *
 * Statements are idempotent: a migration that was cut in the middle is run again from its beginning, and two collectors may
 * migrate one database at the same time.
 */
import {
  type DdlTarget,
  FLOWS,
  FLOWS_TABLE,
  MERGE_SETTINGS,
  type TableSpec,
  alterStored,
  createDatabase,
  createTable,
  qualified,
} from '../../schema/ddl.ts'
import { IDENTITY_TABLE, IMPORTS_TABLE, identityViews } from '../../schema/identity-tables.ts'
import {
  DAY_SETTINGS,
  MINUTES,
  ROLLUP_COLUMNS,
  ROLLUP_NAMES,
  type RollupName,
  daysFromHours,
  rollupTable,
  rollupView,
  sumsSelect,
} from '../../schema/rollups.ts'
import {
  AUDIT_TABLE,
  COLLECTOR_TABLE,
  COUNTERS_TABLE,
  HEALTH_TABLE,
  SIDE_TABLES,
  sideTableSpec,
} from '../../schema/side-tables.ts'

export interface Migration {
  version: number
  /** What it does, recorded in the database. */
  name: string
  statements: (target: DdlTarget) => readonly string[]
  /** What fills new tables from those that were there; not run where there was nothing before. */
  fill?: (target: DdlTarget) => readonly string[]
}

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'flow records', statements: (target) => createTable(FLOWS_TABLE, target) },
  // The column itself is added by `align`.
  { version: 2, name: 'rows that wait to be resolved again', statements: () => [] },
  {
    version: 3,
    name: 'health of exporters, counters of interfaces, audit',
    statements: (target) =>
      [HEALTH_TABLE, COUNTERS_TABLE, AUDIT_TABLE].flatMap((table) => createTable(sideTableSpec(table), target)),
  },
  { version: 4, name: 'sums by minute and hour', statements: sumsByMinuteAndHour },
  // The columns themselves are added by `align`.
  { version: 5, name: 'rate limits and clocks of exporters', statements: () => [] },
  {
    version: 6,
    name: 'who was what and when; imports',
    statements: (target) => [
      ...[IDENTITY_TABLE, IMPORTS_TABLE].flatMap((table) => createTable(sideTableSpec(table), target)),
      ...identityViews(target),
    ],
  },
  // The column itself is added by `align`.
  { version: 7, name: 'TCP segments sent again', statements: () => [] },
  {
    version: 8,
    name: 'what collectors tell of themselves',
    statements: (target) => createTable(sideTableSpec(COLLECTOR_TABLE), target),
  },
  // The column itself is added by `align`.
  { version: 9, name: 'when rows beside the flows were stored', statements: () => [] },
  // The column itself is added by `align`.
  { version: 10, name: 'templates of exporters', statements: () => [] },
  {
    version: 11,
    name: 'sums by day',
    statements: (target) => [...createTable(rollupTable('flows_1d'), target), rollupView('flows_1d', target)],
    fill: (target) => [daysFromHours(target)],
  },
  // Tables that are there already keep their granules.
  {
    version: 12,
    name: 'days a file a column',
    statements: (target) => [modifySettings('flows_1d', DAY_SETTINGS, target)],
  },
]

/** Records that are there already are summed once: what a migration that was cut had summed is thrown away. */
function sumsByMinuteAndHour(target: DdlTarget): string[] {
  const make = (name: RollupName) => createTable(rollupTable(name), target)
  // No cluster is older than the sums: there are no records to sum, and another collector may be storing the first already.
  const names = ['flows_1m', 'flows_1h'] as const
  const view = rollupView('flows_1h', target)
  if (target.cluster !== undefined) return [...names.flatMap(make), view]
  return [
    modifySettings(FLOWS, MERGE_SETTINGS, target),
    ...names.flatMap((name) => [...make(name), `TRUNCATE TABLE ${qualified(target, name)}`]),
    view,
    `INSERT INTO ${qualified(target, MINUTES)} (${ROLLUP_COLUMNS.join(', ')}) ${sumsSelect(target)}`,
  ]
}

function modifySettings(table: string, settings: Readonly<Record<string, number>>, target: DdlTarget): string {
  const values = Object.entries(settings).map(([name, value]) => `${name} = ${value}`)
  return `${alterStored(target, table)} MODIFY SETTING ${values.join(', ')}`
}

/** Where the migrations done are recorded. */
export const MIGRATIONS_TABLE: TableSpec = {
  name: 'migrations',
  doc: 'Migrations of this database that are done.',
  columns: [
    { name: 'version', type: 'UInt32' },
    { name: 'name', type: 'String' },
    { name: 'program', type: 'String' },
    { name: 'done_at', type: "DateTime('UTC') DEFAULT now()" },
  ],
  orderBy: ['version'],
  settings: {},
}

/** Tables whose columns follow the tables of `schema/`. */
export const ALIGNED_TABLES: readonly TableSpec[] = [
  FLOWS_TABLE,
  ...SIDE_TABLES.map(sideTableSpec),
  ...ROLLUP_NAMES.map(rollupTable),
]

/** All that the newest version consists of, in order; each statement does nothing where its part is there. */
export function everything(target: DdlTarget): string[] {
  return [
    createDatabase(target),
    ...[MIGRATIONS_TABLE, ...ALIGNED_TABLES].flatMap((table) => createTable(table, target)),
    rollupView('flows_1h', target),
    rollupView('flows_1d', target),
    ...identityViews(target),
  ]
}
