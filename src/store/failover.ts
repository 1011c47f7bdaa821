/**
 * One of several servers that can do the same. They are tried in the order given; one that failed comes last for a while, which doubles
 * with each failure up to a minute, and takes its place again after. When all have failed lately all are still tried: nothing is
 * refused without having been asked for.
 */
import { EngineError, isOfTheMoment } from './engine-error.ts'
import { type Server, Unanswered } from './server.ts'

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
  return error instanceof Unanswered || (error instanceof EngineError && isOfTheMoment(error.engineCode))
}

function together(errors: readonly unknown[]): unknown {
  const [first] = errors
  if (errors.length < 2) return first
  const said = errors.map((error) => (error instanceof EngineError ? error.summary : (error as Error).message))
  // What a server answered tells more than that another did not.
  const answered = errors.find((error) => error instanceof EngineError)
  return answered ?? new Unanswered('store_unreachable', said.join('; '), { cause: first })
}
