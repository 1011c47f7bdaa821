/** Opening all that a collector consists of: everything at once, so that one start tells all faults. */
import type { Server as NetServer } from 'node:net'
import type * as ApiServer from '../api/server.ts'
import type { Tls } from '../api/tls.ts'
import type { Config } from '../config/options.ts'
import { AppError } from '../errors.ts'
import type { ChangeableIdentity } from '../identity/replica/changeable.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { Store } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import { openAccess, type OpenAccess } from './api-access.ts'
import { type Early, type Sockets, closeSockets } from './early.ts'
import { openIdentity } from './engine.ts'
import { type OpenAwaited, closeStore } from './open-store.ts'

/** What a collector consists of before it runs. */
export interface Opened extends Sockets {
  tls: Tls | undefined
  /** The port of the API, where it had to be taken early. */
  taken: NetServer | undefined
  identity: ChangeableIdentity
  access: OpenAccess
  server: typeof ApiServer
  store: Store
  /** Where the store is waited for. */
  awaited: OpenAwaited['awaited']
  /** Tells `on` of every snapshot published from now on. */
  follow: (on: (snapshot: IdentitySnapshot) => void) => void
}

/** Opens what can fail, all of it, so that one start tells all faults. */
export async function openAll(
  config: Config,
  log: Logger,
  { tls, sockets, taken, store: opening }: Early,
): Promise<Opened> {
  let onSnapshot: ((snapshot: IdentitySnapshot) => void) | undefined
  const [opened, server] = await Promise.all([
    Promise.allSettled([openKnowing(config, log, (snapshot) => onSnapshot?.(snapshot)), opening]),
    import('../api/server.ts'),
  ])
  const [knowing, { value: store }] = opened as [
    (typeof opened)[0],
    PromiseFulfilledResult<PromiseSettledResult<OpenAwaited>>,
  ]
  if (
    knowing.status === 'fulfilled' &&
    sockets.status === 'fulfilled' &&
    store.status === 'fulfilled' &&
    taken.status === 'fulfilled'
  )
    return {
      ...knowing.value,
      ...sockets.value,
      ...store.value,
      server,
      tls,
      taken: taken.value,
      follow: (on) => (onSnapshot = on),
    }
  if (knowing.status === 'fulfilled') await knowing.value.identity.stop()
  if (sockets.status === 'fulfilled') await closeSockets(sockets.value)
  if (store.status === 'fulfilled') await closeStore(store.value)
  if (taken.status === 'fulfilled') taken.value?.close()
  throw together(
    [knowing, sockets, store, taken].flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : [])),
  )
}

/** The model of the cloud, and who may ask, which follows from it. */
async function openKnowing(
  config: Config,
  log: Logger,
  onSnapshot: (snapshot: IdentitySnapshot) => void,
): Promise<Pick<Opened, 'identity' | 'access'>> {
  const identity = await openIdentity(config, log, onSnapshot)
  try {
    return { identity, access: await openAccess(config, identity, log) }
  } catch (error) {
    await identity.stop()
    throw error
  }
}

/** Closes it where no collector came of it. */
export async function closeAll(opened: Opened): Promise<void> {
  await opened.identity.stop()
  await closeSockets(opened)
  opened.taken?.close()
  await closeStore(opened)
}

/** One error that names all faults, with the code of the first. A bug goes before them. */
function together(errors: readonly unknown[]): unknown {
  const faults = errors.filter((error) => error instanceof AppError)
  const [first, ...rest] = faults
  if (first === undefined || faults.length < errors.length) return errors.find((error) => !(error instanceof AppError))
  if (rest.length === 0) return first
  return new AppError(first.code, first.message, {
    cause: first.cause,
    details: [
      ...first.details,
      ...rest.flatMap((fault) => [fault.message, ...fault.details.map((line) => `  ${line}`)]),
    ],
  })
}
