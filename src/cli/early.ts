/**
 * What a collector begins before the rest of the program is loaded, which takes several times as long: its sockets, so that the kernel keeps
 * what comes from here on; then root is given up; then the store, whose engine starts in a process of its own meanwhile.
 */
import type { Server } from 'node:net'
import { takePort } from '../api/port.ts'
import { type Tls, readTls } from '../api/tls.ts'
import type { Config } from '../config/options.ts'
import type { Input } from '../pipeline/demultiplex.ts'
import { Gates } from '../pipeline/gates.ts'
import { type Listeners, closeListeners, openListeners, openSharedListeners, workersOf } from '../pipeline/listeners.ts'
import type { SharedSockets } from '../receive/shared.ts'
import type { Receiver } from '../receive/receiver.ts'
import type { Logger } from '../telemetry/log.ts'
import type { OpenAwaited } from './open-store.ts'
import { dropPrivileges, findUser, giveDirectory } from './privileges.ts'

/** Sockets for what exporters send. */
export interface Sockets {
  /** Of this thread; none where workers have them. */
  listeners: Listeners
  /** Of the workers. */
  shared: ReadonlyMap<Input, SharedSockets> | undefined
  gates: Gates
}

/** What was begun; what failed is told with all other faults of a start. */
export interface Early {
  tls: Tls | undefined
  sockets: PromiseSettledResult<Sockets>
  /** The port of the API, where it had to be taken early. */
  taken: PromiseSettledResult<Server | undefined>
  /** Under way; it never rejects. */
  store: Promise<PromiseSettledResult<OpenAwaited>>
}

/** Errors: those of certificate and key, and of the user to become; nothing is open then. */
export async function beginEarly(config: Config, log: Logger): Promise<Early> {
  const user = config.user === null ? undefined : findUser(config.user)
  const tls = readTls(config.api_tls_cert, config.api_tls_key)
  const early = user === undefined ? null : config.http_port
  // What may need root comes first, then root is given up, then all else begins.
  const [sockets, taken] = await Promise.allSettled([
    openSockets(config, log),
    early === null ? undefined : takePort(config.http_bind, early),
  ])
  if (user !== undefined) {
    giveDirectory(config.data, user)
    dropPrivileges(user)
  }
  if (sockets.status === 'fulfilled')
    log.info(portsOf(sockets.value), 'listening: what comes waits in the kernel until the start is over')
  return { tls, sockets, taken, store: settled(openStore(config, log)) }
}

/** Closes sockets that nobody receives from yet. */
export async function closeSockets({ listeners, shared, gates }: Sockets): Promise<void> {
  gates.close()
  await closeListeners(listeners)
  shared?.forEach((sockets) => sockets.close())
}

async function openSockets(config: Config, log: Logger): Promise<Sockets> {
  const workers = workersOf(config)
  const listeners = workers === 1 ? await openListeners(config, log) : new Map<Input, Receiver>()
  const shared = workers === 1 ? undefined : await openSharedListeners(config, log, workers)
  return { listeners, shared, gates: Gates.open(config, shared ?? listeners, workers) }
}

function portsOf({ listeners, shared }: Sockets): Record<string, number> {
  return Object.fromEntries([...(shared ?? listeners)].map(([input, { port }]) => [input, port]))
}

async function openStore(config: Config, log: Logger): Promise<OpenAwaited> {
  const { openAwaited } = await import('./open-store.ts')
  return openAwaited(config, log)
}

async function settled<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work])
  return result
}
