/**
 * One process a data directory. The file `lock` in it names the holder, and where the holder's HTTP API answers, so that the
 * command line can ask a running collector. The engine has a kernel lock on its own files besides, so a mistake here cannot
 * damage them.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../errors.ts'

/** Who holds a data directory. */
export interface Holder {
  pid: number
  /** When the process started, by the kernel's clock, '' where that is not known: tells a reused pid from the holder. */
  started: string
  /** Where its HTTP API answers, once it does. */
  api?: string
}

export interface Lock {
  /** Writes down where the holder's API answers. */
  announce(api: string): void
  release(): void
}

const FILE = 'lock'

/**
 * Makes the directory if needed and takes it. A lock whose process is gone is taken over.
 * Errors: data_dir_locked (names the process), data_dir_unwritable.
 */
export function lockDirectory(directory: string): Lock {
  try {
    makeDirectory(directory)
    return take(directory)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError(
      'data_dir_unwritable',
      `cannot write to the data directory ${directory} (${(error as Error).message}); give another with --data DIR`,
      { cause: error },
    )
  }
}

function take(directory: string): Lock {
  const file = join(directory, FILE)
  const me: Holder = { pid: process.pid, started: startOf(process.pid) }
  // Written aside and linked into place: either the whole lock is there or none.
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, JSON.stringify(me))
  try {
    for (;;) {
      if (tryLink(mine, file)) break
      const holder = lockHolder(directory)
      if (holder !== undefined) throw locked(directory, holder)
      removeStale(file, mine)
    }
  } finally {
    rmSync(mine, { force: true })
  }
  return {
    announce(api) {
      writeFileSync(mine, JSON.stringify({ ...me, api } satisfies Holder))
      renameSync(mine, file)
    },
    release() {
      if (lockHolder(directory)?.pid === process.pid) rmSync(file, { force: true })
    },
  }
}

/** The living process that holds the directory, or undefined. */
export function lockHolder(directory: string): Holder | undefined {
  const holder = readHolder(join(directory, FILE))
  return holder !== undefined && isAlive(holder) ? holder : undefined
}

function readHolder(file: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as Holder
    return Number.isSafeInteger(holder.pid) && holder.pid > 0 ? holder : undefined
  } catch (error) {
    // Not there, or not written by us.
    if (error instanceof SyntaxError || isCode(error, 'ENOENT')) return undefined
    throw error
  }
}

function isAlive({ pid, started }: Holder): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    if (!isCode(error, 'EPERM')) return false
  }
  const now = startOf(pid)
  return started === '' || now === '' || now === started
}

/** Field 22 of /proc/PID/stat, ticks since boot. The second field is the command in parentheses and may hold anything. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

/**
 * Moves a stale lock aside. Two processes may come here at once, and the slower one must not move the lock that the faster one
 * has just taken: what was moved is looked at, and put back if it is a living process's.
 */
function removeStale(file: string, mine: string): void {
  const aside = `${mine}.stale`
  try {
    renameSync(file, aside)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return
    throw error
  }
  const moved = readHolder(aside)
  if (moved !== undefined && isAlive(moved)) tryLink(aside, file)
  rmSync(aside, { force: true })
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

/** As mkdirSync with `recursive`, which never returns on Node.js 20 where the file system makes no directories (/proc). */
function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory)
  } catch (error) {
    if (isCode(error, 'EEXIST') && statSync(directory).isDirectory()) return
    if (!isCode(error, 'ENOENT') || dirname(directory) === directory) throw error
    makeDirectory(dirname(directory))
    mkdirSync(directory)
  }
}

function locked(directory: string, { pid, api }: Holder): AppError {
  const where = api === undefined ? '' : ` and answers at ${api}`
  return new AppError(
    'data_dir_locked',
    `process ${pid} holds the data directory ${directory}${where}; stop it, or give another directory with --data DIR`,
  )
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}
