/**
 * One process a data directory. Every process that wants it has a file of its own there, `lock-PID-START.json`, and looks for
 * others' after it has made its own: of two that come at once at least one sees the other. A file whose process is gone is removed by
 * whoever sees it; its name is never used again, so nobody's lock is removed by mistake.
 *
 * The file says where the holder's HTTP API answers, so that the command line can ask a running collector. The engine has a
 * kernel lock on its own files besides.
 */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AppError } from '../errors.ts'

/** Who holds a data directory. */
export interface Holder {
  pid: number
  /** Where its HTTP API answers, once it does. */
  api?: string
}

export interface Lock {
  /** Writes down where the holder's API answers. */
  announce(api: string): void
  release(): void
}

interface Content {
  state: 'trying' | 'holding'
  api?: string
}

interface Candidate extends Content, Holder {
  name: string
}

/** Two that see each other step back for a random while and try again, this often. */
const TRIES = 20
const STEP_BACK_MS = 50

/**
 * Makes the directory if needed and takes it. Errors: data_dir_locked (names the process), data_dir_unwritable.
 */
export async function lockDirectory(directory: string): Promise<Lock> {
  try {
    makeDirectory(directory)
    return await take(directory)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError(
      'data_dir_unwritable',
      `cannot write to the data directory ${directory} (${(error as Error).message}); give another with --data DIR`,
      { cause: error },
    )
  }
}

/** The living process that holds the directory, or undefined. */
export function lockHolder(directory: string): Holder | undefined {
  const holder = candidates(directory).find(({ state }) => state === 'holding')
  return holder && { pid: holder.pid, ...(holder.api === undefined ? {} : { api: holder.api }) }
}

async function take(directory: string): Promise<Lock> {
  const name = fileName(process.pid)
  const file = join(directory, name)
  const write = (content: Content) => {
    writeFileSync(`${file}.tmp`, JSON.stringify(content))
    renameSync(`${file}.tmp`, file)
  }
  for (let attempt = 1; ; attempt++) {
    const before = candidates(directory).find(({ state }) => state === 'holding')
    if (before !== undefined) throw locked(directory, before)
    write({ state: 'trying' })
    const other = candidates(directory).find((candidate) => candidate.name !== name)
    if (other === undefined) break
    rmSync(file, { force: true })
    if (attempt === TRIES) throw locked(directory, other)
    await new Promise((resolve) => setTimeout(resolve, Math.random() * STEP_BACK_MS))
  }
  write({ state: 'holding' })
  return {
    announce: (api) => write({ state: 'holding', api }),
    release: () => rmSync(file, { force: true }),
  }
}

/** The processes that have a file there and live; the files of the others are removed. */
function candidates(directory: string): Candidate[] {
  return readNames(directory).flatMap((name) => {
    const [, pid] = /^lock-(\d+)-\d*\.json$/.exec(name) ?? []
    if (pid === undefined) return []
    if (isAlive(Number(pid)) && fileName(Number(pid)) === name)
      return [{ name, pid: Number(pid), ...readContent(join(directory, name)) }]
    rmSync(join(directory, name), { force: true })
    return []
  })
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return []
    throw error
  }
}

/** The name tells who it is; the content only what is known besides. */
function readContent(file: string): Content {
  try {
    const content = JSON.parse(readFileSync(file, 'utf8')) as Partial<Content> | null
    if (content?.state !== 'holding') return { state: 'trying' }
    return { state: 'holding', ...(typeof content.api === 'string' ? { api: content.api } : {}) }
  } catch (error) {
    // Just removed, or written to by somebody else.
    if (error instanceof SyntaxError || isCode(error, 'ENOENT')) return { state: 'trying' }
    throw error
  }
}

function fileName(pid: number): string {
  return `lock-${pid}-${startOf(pid)}.json`
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return isCode(error, 'EPERM')
  }
}

/**
 * When a process started, in ticks since boot, '' where that is not known: tells a number that is used again. Field 22 of
 * /proc/PID/stat; the second field is the command in parentheses and may hold anything.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    // No /proc on this system, or the process is gone.
    return ''
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
