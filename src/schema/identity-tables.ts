/**
 * The table of who was what, and when: a row a state of a project, network, server or port. What holds now ends at `FOR_EVER`; when it
 * changes or goes, a later row with the same key ends it, and takes its place when parts are merged: read it with FINAL.
 */
import { onCluster } from './cluster.ts'
import { type DdlTarget, identifier } from './ddl.ts'
import type { SideColumns, SideTable } from './side-tables.ts'

/** The end of what holds now: the last moment that DateTime64(3) has in ClickHouse, ms. */
export const FOR_EVER_MS = Date.UTC(2300, 0, 1) - 1

const IDENTITY_COLUMNS = {
  kind: { kind: 'enum', of: 'identity_kind', doc: 'What it is.' },
  id: { kind: 'text', doc: 'Its id.' },
  valid_from: { kind: 'time', doc: 'Since when it was so: as the cloud tells, else when it was first seen to be.' },
  valid_to: { kind: 'time', doc: 'Until when, not inside; 2299-12-31 23:59:59.999 for what holds now.' },
  name: { kind: 'text', doc: 'Its name then.' },
  project_id: { kind: 'text', doc: 'Project it belonged to; of a project itself.' },
  project: { kind: 'text', doc: 'Name of that project then.' },
  network_id: { kind: 'text', doc: 'Network of a port; of a network itself.' },
  server_id: { kind: 'text', doc: 'Server of a port; of a server itself.' },
  host: { kind: 'text', doc: 'Host of a port or server.' },
  mac: { kind: 'mac', doc: 'MAC address of a port.' },
  addresses: { kind: 'text', doc: 'Fixed IP addresses of a port, with commas between, in order.' },
  written_at: { kind: 'time', doc: 'When this row was written; of rows with one key the latest holds.' },
} as const satisfies SideColumns

export const IDENTITY_TABLE = {
  name: 'identity_history',
  doc: 'Who was what, and when: a row a state of a project, network, server or port. Read it with FINAL.',
  columns: IDENTITY_COLUMNS,
  engine: 'ReplacingMergeTree(written_at)',
  orderBy: ['kind', 'id', 'valid_from'],
} as const satisfies SideTable

const IMPORT_COLUMNS = {
  time: { kind: 'time', doc: 'When it was imported.' },
  digest: { kind: 'text', doc: 'SHA-256 of the file, in hexadecimal.' },
  file: { kind: 'text', doc: 'Name of the file, without its folder.' },
  format: { kind: 'text', doc: 'What was in it.' },
  rows: { kind: 'u64', doc: 'Flow records stored from it.' },
  damaged: { kind: 'u64', doc: 'Lines that could not be read.' },
} as const satisfies SideColumns

export const IMPORTS_TABLE = {
  name: 'imports',
  doc: 'Files that `ovsight import` has stored, so that none is stored twice.',
  columns: IMPORT_COLUMNS,
  orderBy: ['time'],
} as const satisfies SideTable

/** Columns that the views show: all but what keeps the rows in order. */
const SHOWN = Object.keys(IDENTITY_COLUMNS).filter((name) => name !== 'written_at')

/** Two collectors of one cloud may both have written a state: one is shown. */
const ONE_EACH = 'ORDER BY kind, id, valid_from DESC LIMIT 1 BY kind, id'

/** View of what holds now, view of what held `at` a time, and a dictionary of the names that hold now. */
export function identityViews(target: DdlTarget): string[] {
  const name = identifier(target.database)
  const select = `SELECT ${SHOWN.join(', ')} FROM ${name}.${IDENTITY_TABLE.name} FINAL`
  return [
    `CREATE VIEW IF NOT EXISTS ${name}.identity_now${onCluster(target)} AS ${select} WHERE valid_to > now64(3) ${ONE_EACH}`,
    `CREATE VIEW IF NOT EXISTS ${name}.identity_at${onCluster(target)} AS ${select} ` +
      `WHERE valid_from <= {at:DateTime64(3, 'UTC')} AND valid_to > {at:DateTime64(3, 'UTC')} ${ONE_EACH}`,
  ]
}

export const IDENTITY_DICTIONARY = 'identity_names'

/** Its key is the id; ids of OpenStack are of one thing alone. Not part of the migrations: not every user may make one. */
export function identityDictionary(target: DdlTarget): string {
  const name = identifier(target.database)
  const attributes = ['kind', 'name', 'project_id', 'project', 'network_id', 'server_id', 'host', 'addresses']
  return (
    `CREATE DICTIONARY IF NOT EXISTS ${name}.${IDENTITY_DICTIONARY}${onCluster(target)} (id String, ${attributes.map((one) => `${one} String`).join(', ')}) ` +
    `PRIMARY KEY id SOURCE(CLICKHOUSE(QUERY 'SELECT id, toString(kind), ${attributes.slice(1).join(', ')} FROM ${name}.identity_now')) ` +
    `LIFETIME(MIN 30 MAX 60) LAYOUT(COMPLEX_KEY_HASHED())`
  )
}
