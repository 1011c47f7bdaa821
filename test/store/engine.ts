/**
 * The engine itself inside a test process, as an oracle: what the product wrote is read back by SQL that is not ours.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Session } from 'chdb'

/** Reason to skip where the optional engine is not installed, or false. */
export const NO_ENGINE: string | false = await import('chdb').then(
  () => false as const,
  () => 'the embedded engine (chdb) is not installed',
)

export interface Engine {
  directory: string
  session: Session
  /** Runs a statement; throws with the engine's message. */
  run(sql: string): Promise<void>
  /** Rows of a query as arrays of what JSON makes of the values, 64-bit integers as strings. */
  rows(sql: string): Promise<unknown[][]>
  /** Inserts a Native block. */
  insertNative(table: string, columns: readonly string[], bytes: Uint8Array): Promise<void>
  close(): void
}

/** `config`: ClickHouse's own configuration, in XML. */
export async function openEngine(config?: string): Promise<Engine> {
  const chdb = await import('chdb')
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-engine-'))
  const configFile = join(directory, 'config.xml')
  if (config !== undefined) writeFileSync(configFile, config)
  const options = config === undefined ? {} : { connectionArgs: [`--config-file=${configFile}`] }
  const session = new chdb.Session(join(directory, 'db'), options)
  const settings = 'SETTINGS output_format_json_quote_64bit_integers = 1'
  let files = 0
  const run = async (sql: string) => void (await session.queryAsync(sql))
  return {
    directory,
    session,
    run,
    async rows(sql) {
      const result = await session.queryAsync(`${sql} ${settings}`, { format: 'JSONCompactEachRow' })
      return result
        .text()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as unknown[])
    },
    async insertNative(table, columns, bytes) {
      const file = join(directory, `${files++}.native`)
      writeFileSync(file, bytes)
      await run(`INSERT INTO ${table} (${columns.join(', ')}) FROM INFILE '${file}' FORMAT Native`)
      rmSync(file)
    },
    close() {
      session.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
