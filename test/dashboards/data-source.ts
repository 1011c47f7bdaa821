/**
 * What Grafana's ClickHouse data source asks by itself, beside the questions of panels: read from its code (src/data/CHDatasource.ts, adHocFilter.ts,
 * pkg/plugin) and from its driver's, clickhouse-go, versions 4.0.3 to 4.20. Over HTTP each comes as a POST with the database in the query string and
 * `default_format=Native`.
 */

/** Of the driver when it connects, and of the health check. */
export const CONNECTING = [
  'SELECT timezone()',
  'SELECT version()',
  'SELECT displayName(), version(), revision(), timezone()',
  'SELECT 1',
] as const

/** For the editor of conditions added by hand: may they be, which columns are there, which values has one. */
export const CONDITIONS = [
  'SELECT version()',
  "SELECT name, type, table FROM system.columns WHERE database IN ('ovsight')",
  'select distinct src_server from flows limit 1000',
] as const

/** Conditions as they are written: every value is text, and `=~` is REGEXP (ILIKE in older ones). A key is `table.column`, of which the table goes. */
export const ADDED = [
  " src_server = 'blue-2' ",
  " bytes > '10' AND bridge REGEXP 'br.*' ",
  " src_addr = '::ffff:192.168.10.9' AND export_protocol = 'ipfix' ",
  " dst_l4_port NOT IN (1, 2) AND src_server ILIKE 'RED%' ",
  " src_grade != 'unknown' AND flow_end < '2030-01-01 00:00:00' ",
] as const

/** For the query editor: databases, tables, columns. */
export const EDITOR = ['SHOW DATABASES', 'SHOW TABLES FROM "ovsight"', 'DESC TABLE "ovsight"."flows"'] as const
