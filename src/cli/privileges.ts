/**
 * Giving root up: sockets that need it are open by then, and everything else, threads and the engine's process included, belongs to the
 * user from here on. credentials(7): groups first, then the group, the user last, since it takes the right to the others away.
 */
import { chownSync, mkdirSync, readFileSync } from 'node:fs'
import { AppError } from '../errors.ts'

export interface Identity {
  uid: number
  gid: number
  /** For initgroups; a number has none of its own. */
  name: string | undefined
}

/**
 * Looks up `NAME`, `NAME:GROUP`, or numbers of either, in /etc/passwd and /etc/group. Errors: config_invalid.
 */
export function findUser(text: string, files = { passwd: '/etc/passwd', group: '/etc/group' }): Identity {
  const [user = '', group, ...rest] = text.split(':')
  if (rest.length > 0 || user === '' || group === '')
    throw new AppError('config_invalid', `user: ${text} is not NAME or NAME:GROUP`)
  const entry = entryOf(files.passwd, user, 2)
  const uid = entry === undefined ? numberOf(user) : Number(entry[2])
  if (uid === undefined) throw new AppError('config_invalid', `user: there is no user ${user}`)
  const own = entry === undefined ? undefined : Number(entry[3])
  const gid = group === undefined ? own : (numberOf(entryOf(files.group, group, 2)?.[2] ?? group) ?? undefined)
  if (gid === undefined)
    throw new AppError('config_invalid', group === undefined ? `user: ${user} has no entry in passwd; give NAME:GROUP` : `user: there is no group ${group}`) // prettier-ignore
  if (uid === 0) throw new AppError('config_invalid', `user: ${text} is root, which is to be given up`)
  return { uid, gid, name: entry?.[0] }
}

/** Makes the data directory where it is missing, so that the user has it. */
export function giveDirectory(path: string, { uid, gid }: Identity): void {
  const made = mkdirSync(path, { recursive: true, mode: 0o750 })
  if (made === undefined) return
  chownSync(path, uid, gid)
}

/** Becomes the user for good. Does nothing when it is that user already. Errors: config_invalid. */
export function dropPrivileges(to: Identity): void {
  const { getuid, geteuid, setgid, setuid, setgroups } = process
  // Its types lack it.
  const { initgroups } = process as unknown as { initgroups?: (user: string, group: number) => void }
  if (
    getuid === undefined ||
    geteuid === undefined ||
    setgid === undefined ||
    setuid === undefined ||
    setgroups === undefined ||
    initgroups === undefined
  )
    // prettier-ignore
    throw new AppError('config_invalid', 'user: this system has no users to change to')
  if (geteuid() === to.uid && getuid() === to.uid) return
  if (geteuid() !== 0)
    throw new AppError('config_invalid', 'user: only root can become another user; leave the option out')
  if (to.name === undefined) setgroups([to.gid])
  else initgroups(to.name, to.gid)
  setgid(to.gid)
  setuid(to.uid)
  if (canReturn()) throw new Error('root could be had again')
}

function canReturn(): boolean {
  try {
    process.setuid?.(0)
    return true
  } catch {
    // As it should be.
    return false
  }
}

/** The line of a name, or of a number at `field`. */
function entryOf(path: string, wanted: string, field: number): string[] | undefined {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  return lines.find(([name]) => name === wanted) ?? lines.find((parts) => parts[field] === wanted)
}

function numberOf(text: string): number | undefined {
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
