import { AppError } from '../errors.ts'

/** A server's URL taken apart. */
export interface ServerUrl {
  /** Without user, password and database. */
  url: string
  username: string
  password: string
  database: string
  /** For messages: no password in it. */
  name: string
}

const DEFAULT_DATABASE = 'ovsight'

/**
 * `http://user:password@host:8123/database`. User and password may come from CLICKHOUSE_USER and CLICKHOUSE_PASSWORD instead.
 * Errors: config_invalid.
 */
export function parseServerUrl(text: string, environment: Readonly<Record<string, string | undefined>>): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    // The text is not repeated: there may be a password in it.
    throw new AppError('config_invalid', 'the ClickHouse URL must look like http://user:password@host:8123/database')
  const database = decodeURIComponent(url.pathname.replace(/^\/|\/$/g, '')) || DEFAULT_DATABASE
  const bare = `${url.protocol}//${url.host}`
  return {
    url: `${bare}/${url.search}`,
    username: decodeURIComponent(url.username) || environment['CLICKHOUSE_USER'] || 'default',
    password: decodeURIComponent(url.password) || environment['CLICKHOUSE_PASSWORD'] || '',
    database,
    name: `${bare}/${database}`,
  }
}
