/**
 * The process that holds the embedded engine, forked by chdb-process.ts with the data directory as its working directory. It only
 * runs the statements it is given. A session runs one query at a time, so there is one for writing and a few for questions.
 */
import type { Session } from 'chdb'
import type { EngineRequest, FromEngine, Lane, ToEngine } from './chdb-protocol.ts'
import { PLAN_LESS } from './planning.ts'

const DIRECTORY = 'db'
const DATABASE = 'ovsight'
const SESSIONS: Readonly<Record<Lane, number>> = { write: 1, read: 4, door: 2, stream: 1 }

/** Sessions of a lane that are free, and requests that wait for one. */
class Sessions {
  private readonly free: Session[] = []
  private readonly waiting: ((session: Session) => void)[] = []
  private opened = 0
  private readonly open: () => Promise<Session>
  private readonly limit: number

  constructor(limit: number, open: () => Promise<Session>) {
    this.limit = limit
    this.open = open
  }

  async use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.take()
    try {
      return await work(session)
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.free.push(session)
      else next(session)
    }
  }

  closeAll(): void {
    for (const session of this.free) session.close()
  }

  private take(): Promise<Session> | Session {
    const free = this.free.pop()
    if (free !== undefined) return free
    if (this.opened === this.limit) return new Promise((resolve) => void this.waiting.push(resolve))
    this.opened++
    return this.open()
  }
}

function send(message: FromEngine): void {
  // The parent may be gone; then this process is about to end too.
  if (process.connected) process.send!(message)
}

async function start(): Promise<void> {
  const chdb = await import('chdb').catch((error: unknown) => {
    send({ failed: messageOf(error), missing: true })
    process.exit(1)
  })
  const open = async (): Promise<Session> => {
    const session = new chdb.Session(DIRECTORY)
    await session.queryAsync(`CREATE DATABASE IF NOT EXISTS ${DATABASE}`)
    await session.queryAsync(`USE ${DATABASE}`)
    return session
  }
  const openToRead = async (): Promise<Session> => {
    const session = await open()
    await session.queryAsync(PLAN_LESS)
    return session
  }
  const lanes = {
    write: new Sessions(SESSIONS.write, open),
    read: new Sessions(SESSIONS.read, openToRead),
    door: new Sessions(SESSIONS.door, open),
    stream: new Sessions(SESSIONS.stream, open),
  }
  try {
    await lanes.write.use(async (session) => void (await session.queryAsync('SELECT 1')))
  } catch (error) {
    send({ failed: messageOf(error), missing: false })
    process.exit(1)
  }
  const running = new Set<Promise<void>>()
  process.on('message', (message: ToEngine) => {
    if ('close' in message) {
      void Promise.allSettled(running).then(() => {
        lanes.write.closeAll()
        lanes.read.closeAll()
        lanes.door.closeAll()
        lanes.stream.closeAll()
        process.exit(0)
      })
      return
    }
    const work = answer(lanes[message.lane], message).finally(() => running.delete(work))
    running.add(work)
  })
  send({ ready: true })
}

async function answer(sessions: Sessions, { id, statements, format, binary }: EngineRequest): Promise<void> {
  try {
    const result = await sessions.use(async (session) => {
      try {
        for (const statement of statements.slice(0, -1)) await session.queryAsync(statement)
        return await session.queryAsync(statements.at(-1)!, { format })
      } catch (error) {
        // What a failed statement had written already comes before the answer of the session's next one (chdb 3.4).
        await session.queryAsync('SELECT 1')
        throw error
      }
    })
    const { rowsRead, bytesRead, elapsed: elapsedS } = result
    const said = binary === true ? { text: '', bytes: result.bytes() } : { text: result.text() }
    send({ id, answer: { ...said, rowsRead, bytesRead, elapsedS } })
  } catch (error) {
    send({ id, error: messageOf(error) })
  }
}

/** With the causes: what the engine itself said is often only there. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : messageOf(error.cause)
  return error.message.includes(cause) ? error.message : `${error.message}: ${cause}`
}

// The parent decides when this ends: a Ctrl-C on the terminal reaches both, and what is being inserted shall be acknowledged.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})
// Its parent is gone. Nobody waits for an answer, and what was not acknowledged is in the spool.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

void start()
