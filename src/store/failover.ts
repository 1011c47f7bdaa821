/**
 * One of several servers that can do the same. They are tried in the order given; one that failed comes last for a while, which doubles
 * with each failure up to a minute, and takes its place again after. When all have failed lately all are still tried: nothing is
 * refused without having been asked for.
 */
import { EngineError } from './engine-error.ts'
import { type Server, Unanswered } from './server.ts'

/** What a server may say of its own state: another one of the same shard need not. ClickHouse's src/Common/ErrorCodes.cpp. */
const OWN_STATE: ReadonlySet<number> = new Set([
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  225, // NO_ZOOKEEPER
  236, // ABORTED
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY
  243, // NOT_ENOUGH_SPACE
  252, // TOO_MANY_PARTS
  279, // ALL_CONNECTION_TRIES_FAILED
  319, // UNKNOWN_STATUS_OF_INSERT
  425, // SYSTEM_ERROR
  439, // CANNOT_SCHEDULE_TASK
  999, // KEEPER_EXCEPTION
])

/** Does `work` with the first server that can; throws what the first said when none can. */
export async function onOneOf<T>(
  servers: readonly Server[],
  work: (server: Server) => Promise<T>,
  now: () => number = Date.now,
): Promise<T> {
  const errors: unknown[] = []
  for (const server of inOrder(servers, now())) {
    try {
      const done = await work(server)
      server.well()
      return done
    } catch (error) {
      if (!isElsewhere(error)) {
        server.well()
        throw error
      }
      server.ill(now())
      errors.push(error)
    }
  }
  throw together(errors)
}

/** Those that are well first, each group in the order given; of the others the one that was found ill longest ago. */
function inOrder(servers: readonly Server[], nowMs: number): Server[] {
  const isDown = (server: Server) => server.downUntilMs > nowMs
  return [
    ...servers.filter((server) => !isDown(server)),
    ...servers.filter(isDown).sort((a, b) => a.downUntilMs - b.downUntilMs),
  ]
}

function isElsewhere(error: unknown): boolean {
  return error instanceof Unanswered || (error instanceof EngineError && OWN_STATE.has(error.engineCode))
}

function together(errors: readonly unknown[]): unknown {
  const [first] = errors
  if (errors.length < 2) return first
  const said = errors.map((error) => (error instanceof EngineError ? error.summary : (error as Error).message))
  // What a server answered tells more than that another did not.
  const answered = errors.find((error) => error instanceof EngineError)
  return answered ?? new Unanswered('store_unreachable', said.join('; '), { cause: first })
}
