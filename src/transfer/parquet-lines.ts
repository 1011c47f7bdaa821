/** Parquet as lines of JSON: the embedded engine reads it, in a directory of its own, also where the records go to a server. */
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { AppError } from '../errors.ts'
import { ChdbStore } from '../store/chdb.ts'

export function isParquet(head: Buffer): boolean {
  return head.toString('latin1', 0, 4) === 'PAR1'
}

/** Rows in the order of the file. Errors: file_unreadable; store_unavailable where the engine is not installed. */
export async function* parquetLines(file: string): AsyncGenerator<Buffer> {
  const directory = await mkdtemp(join(tmpdir(), 'ovsight-parquet-'))
  let store: ChdbStore | undefined
  try {
    // A name that the engine does not take for a pattern, whatever the file is called.
    const name = join(directory, 'in.parquet')
    await symlink(resolve(file), name).catch(() => copyFile(file, name))
    store = await ChdbStore.open({ directory })
    const body = await store.stream(
      { sql: 'SELECT * FROM file({file:String}, Parquet)', params: { file: name } },
      'JSONEachRow',
      {
        date_time_output_format: 'iso',
        session_timezone: 'UTC',
        output_format_json_quote_64bit_integers: 0,
        max_threads: 1,
        input_format_parquet_preserve_order: 1,
        max_block_size: 8_192,
      },
    )
    yield* body as AsyncIterable<Buffer>
  } catch (error) {
    if (error instanceof AppError && error.code === 'query_failed')
      throw new AppError('file_unreadable', `${file} is no Parquet file that can be read: ${error.message}`, {
        cause: error,
      })
    throw error
  } finally {
    await store?.close()
    await rm(directory, { recursive: true, force: true })
  }
}
