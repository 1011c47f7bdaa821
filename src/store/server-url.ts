import { readFileSync } from 'node:fs'
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

/** Where user and password come from beside the URL; names are those of the options. */
export interface Credentials {
  clickhouse_user?: string | null
  /** File whose first line is the password. */
  clickhouse_password_file?: string | null
}

type Environment = Readonly<Record<string, string | undefined>>

export const DEFAULT_DATABASE = 'ovsight'
/** Between URLs: a comma that a URL follows, since there may be commas in one. */
const BETWEEN = /,\s*(?=https?:\/\/)/

/**
 * `http://user:password@host:8123/database`, several with commas between. What a URL does not say is that of the first, then that of the
 * options, then CLICKHOUSE_USER and CLICKHOUSE_PASSWORD. Errors: config_invalid, file_unreadable.
 */
export function parseServerUrls(text: string, environment: Environment, given: Credentials = {}): ServerUrl[] {
  const urls = text.split(BETWEEN).map((one) => readUrl(one.trim()))
  const [first] = urls as [URL, ...URL[]]
  const password = first.password === '' ? passwordOf(given, environment) : decodeURIComponent(first.password)
  const username =
    decodeURIComponent(first.username) || given.clickhouse_user || environment['CLICKHOUSE_USER'] || 'default'
  const database = databaseOf(first) || DEFAULT_DATABASE
  return urls.map((url) => {
    if (databaseOf(url) !== '' && databaseOf(url) !== database)
      throw new AppError('config_invalid', `the ClickHouse URLs name two databases: ${database}, ${databaseOf(url)}`)
    const bare = `${url.protocol}//${url.host}`
    return {
      url: `${bare}/${url.search}`,
      username: decodeURIComponent(url.username) || username,
      password: decodeURIComponent(url.password) || password,
      database,
      name: `${bare}/${database}`,
    }
  })
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    // The text is not repeated: there may be a password in it.
    throw new AppError('config_invalid', 'the ClickHouse URL must look like http://user:password@host:8123/database')
  return url
}

function databaseOf({ pathname }: URL): string {
  return decodeURIComponent(pathname.replace(/^\/|\/$/g, ''))
}

function passwordOf({ clickhouse_password_file: file }: Credentials, environment: Environment): string {
  if (file === undefined || file === null) return environment['CLICKHOUSE_PASSWORD'] ?? ''
  return readGivenFile(file, 'clickhouse_password_file').split(/\r?\n/)[0]!
}

/** Errors: file_unreadable, with the option that names the file. */
export function readGivenFile(file: string, option: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new AppError('file_unreadable', `cannot read ${option} ${file}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** The name of a cluster as it may stand in SQL and in Keeper's paths. Errors: config_invalid. */
export function checkedCluster(name: string): string {
  if (!/^[\w.-]+$/.test(name))
    throw new AppError('config_invalid', `clickhouse_cluster: ${JSON.stringify(name)} is not the name of a cluster`)
  return name
}
