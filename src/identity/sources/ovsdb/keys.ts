/** Keys and certificates of OVSDB connections, from the files that the configuration names. */
import { readFileSync } from 'node:fs'
import { AppError } from '../../../errors.ts'
import type { OvsdbKeys } from './client.ts'
import { isTarget } from './target.ts'

/** What it needs of the configuration; the names are those of the options. */
export interface KeyOptions {
  ovsdb: string | null
  ovsdb_listen: string | null
  ovn_southbound: string | null
  ovsdb_key: string | null
  ovsdb_cert: string | null
  ovsdb_ca: string | null
}

/** The keys, undefined where nothing needs any. Errors: config_invalid (some are missing, a target is none), file_unreadable. */
export function readKeys({
  ovsdb_key,
  ovsdb_cert,
  ovsdb_ca,
  ovsdb,
  ovsdb_listen,
  ovn_southbound,
}: KeyOptions): OvsdbKeys | undefined {
  if (ovsdb !== null && !isTarget(ovsdb))
    throw new AppError('config_invalid', `ovsdb: ${ovsdb} is not tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH`)
  const given = [ovsdb_key, ovsdb_cert, ovsdb_ca].filter((path) => path !== null)
  if (
    given.length === 0 &&
    !/^p?ssl:/.test(ovsdb ?? '') &&
    !/^ssl:/.test(ovn_southbound ?? '') &&
    !/^p?ssl:/.test(ovsdb_listen ?? '')
  )
    return undefined
  if (ovsdb_key === null || ovsdb_cert === null || ovsdb_ca === null)
    throw new AppError('config_invalid', 'ovsdb_key, ovsdb_cert and ovsdb_ca are needed together for ssl: and pssl:')
  return { key: pem(ovsdb_key), cert: pem(ovsdb_cert), ca: pem(ovsdb_ca) }
}

function pem(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new AppError('file_unreadable', `cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}
