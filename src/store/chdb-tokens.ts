/**
 * Tokens that the engine knows without having their rows.
 *
 * It writes the token of an insert into the table's deduplication log, and only then gives the part its name (MergeTreeSink). Killed in
 * between it has the token and not the rows: the same block inserted again would count as known, and be lost without a word. So before
 * anybody asks the engine, each token of whose part there is no trace is taken back, by a line as the engine writes it for a part that
 * was dropped, and the engine reads its logs anew.
 *
 *   deduplication_log_N.txt   a line an event: 1 (added) or 2 (dropped) | part | token's hash, separated by tabs
 *   part                      PARTITION_MIN_MAX_LEVEL[_MUTATION], the numbers of the blocks in it; merged, it has more of them
 */
import { appendFile, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Of the newest log of a table so much is looked at: thousands of inserts, where at most a handful were under way. */
const TAIL_BYTES = 256 * 1024
const PART = /^(.+)_(\d+)_(\d+)_\d+(?:_\d+)?$/
const LOG = /^deduplication_log_(\d+)\.txt$/

interface Part {
  readonly partition: string
  readonly min: number
  readonly max: number
}

/** Takes back what is known without its rows, in all tables below the engine's directory. Whether there was any. */
export async function forgetTornTokens(directory: string): Promise<boolean> {
  const store = join(directory, 'db', 'store')
  let torn = false
  for (const group of await listed(store))
    for (const table of await listed(join(store, group))) if (await forgetIn(join(store, group, table))) torn = true
  return torn
}

async function forgetIn(table: string): Promise<boolean> {
  const logs = join(table, 'deduplication_logs')
  const numbers = (await listed(logs)).map((name) => Number(LOG.exec(name)?.[1] ?? 0)).filter((number) => number > 0)
  if (numbers.length === 0) return false
  const newest = join(logs, `deduplication_log_${Math.max(...numbers)}.txt`)
  const lines = await lastLines(newest)
  const there = (await listed(table)).flatMap((name) => partOf(name) ?? [])
  const known = new Map<string, string>()
  for (const line of lines) {
    const [event, part = '', token = ''] = line.split('\t')
    if (event === '1') known.set(token, part)
    else known.delete(token)
  }
  const torn = [...known].filter(([, name]) => {
    const part = partOf(name)
    return part !== undefined && !there.some((one) => holds(one, part))
  })
  if (torn.length > 0) await appendFile(newest, torn.map(([token, part]) => `2\t${part}\t${token}\n`).join(''))
  return torn.length > 0
}

function holds(one: Part, part: Part): boolean {
  return one.partition === part.partition && one.min <= part.min && one.max >= part.max
}

function partOf(name: string): Part | undefined {
  const [, partition, min, max] = PART.exec(name) ?? []
  return partition === undefined ? undefined : { partition, min: Number(min), max: Number(max) }
}

/** Whole lines at the end of a file; none when its end is no line's. */
async function lastLines(file: string): Promise<string[]> {
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const at = Math.max(0, size - TAIL_BYTES)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - at), 0, size - at, at)
    const text = buffer.toString('latin1', 0, bytesRead)
    if (!text.endsWith('\n')) return []
    const lines = text.slice(0, -1).split('\n')
    return at === 0 ? lines : lines.slice(1)
  } finally {
    await handle.close()
  }
}

/** Names in a directory; none when there is no such one. */
async function listed(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch {
    return []
  }
}
