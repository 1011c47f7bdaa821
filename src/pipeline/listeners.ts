/** The sockets of a collector, by configuration. */
import { availableParallelism } from 'node:os'
import type { Config, OptionName } from '../config/options.ts'
import { AppError } from '../errors.ts'
import { openReceiver, slowReceiveReason } from '../receive/open.ts'
import type { Receiver, ReceiverOptions } from '../receive/receiver.ts'
import { openSharedSockets, type SharedSockets } from '../receive/shared.ts'
import type { Logger } from '../telemetry/log.ts'
import { INPUTS, type Input } from './demultiplex.ts'

/** Open listeners by what they receive. */
export type Listeners = ReadonlyMap<Input, Receiver>

/** Beyond it a collector does better with a second one beside it. */
const MOST_BY_ITSELF = 8

/** The option that says on which UDP port an input is received; GRE has none. */
const PORT_OPTION = {
  netflow: 'netflow_port',
  ipfix: 'ipfix_port',
  sflow: 'sflow_port',
  vxlan: 'vxlan_port',
} as const satisfies Partial<Record<Input, OptionName>>

/**
 * Opens all listeners that the configuration asks for, bound but silent until `start`. GRE without the privilege is a warning,
 * everything else that fails is an error that names all of them; none stays open then.
 *
 * Errors: `port_in_use`, `socket_refused`, `config_invalid`.
 */
export async function openListeners(config: Config, log: Logger): Promise<Listeners> {
  const close = (open: Listeners) => closeListeners(open)
  return openEach(config, log, (options, kind) => openReceiver(options, kind), close)
}

/** The same for several threads, each with a socket of its own; for `workers` above 1. Errors as above. */
export async function openSharedListeners(
  config: Config,
  log: Logger,
  workers: number,
): Promise<ReadonlyMap<Input, SharedSockets>> {
  return openEach(
    config,
    log,
    (options) => openSharedSockets(options, workers),
    (open) => open.forEach((sockets) => sockets.close()),
  )
}

/**
 * How many threads receive and decode. By itself one less than there are cores, since the store takes one; datagrams one by one
 * are received by the main thread alone.
 */
export function workersOf({ workers, receiver }: Config, cores = availableParallelism()): number {
  if (receiver === 'dgram' || slowReceiveReason() !== '') return 1
  return workers === 0 ? Math.max(1, Math.min(MOST_BY_ITSELF, cores - 1)) : workers
}

async function openEach<T extends { advice: string }>(
  config: Config,
  log: Logger,
  openOne: (options: ReceiverOptions, kind: 'koffi' | 'dgram' | undefined) => T | Promise<T>,
  close: (open: Map<Input, T>) => void | Promise<void>,
): Promise<Map<Input, T>> {
  const open = new Map<Input, T>()
  const faults: AppError[] = []
  for (const input of INPUTS) {
    const port = portOf(config, input)
    if (port === null) continue
    try {
      const one = await openOne(optionsOf(config, input, port), kindOf(config))
      open.set(input, one)
      if (one.advice !== '') log.warn({ listener: input }, one.advice)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      if (input === 'gre' && error.code === 'socket_refused') warnNoGre(log, error)
      else faults.push(error)
    }
  }
  if (config.receiver === 'auto' && slowReceiveReason() !== '') log.info(`datagrams one by one: ${slowReceiveReason()}`)
  if (faults.length === 0) return open
  await close(open)
  throw combined(faults)
}

/** Hands over what the kernel still holds, then closes. */
export async function closeListeners(listeners: Listeners): Promise<void> {
  await Promise.all([...listeners.values()].map((receiver) => receiver.close()))
}

/** UDP port of an input, 0 for GRE, null when it is off. */
function portOf(config: Config, input: Input): number | null {
  if (input === 'gre') return config.gre ? 0 : null
  // One port for both: the version tells them apart.
  if (input === 'ipfix' && config.ipfix_port !== 0 && config.ipfix_port === config.netflow_port) return null
  return config[PORT_OPTION[input]]
}

/** How datagrams are received; undefined: as the machine does it best. Errors: `socket_refused`. */
export function kindOf(config: Config): 'koffi' | 'dgram' | undefined {
  const kind = config.receiver === 'auto' ? undefined : (config.receiver as 'koffi' | 'dgram')
  if (kind === 'koffi' && slowReceiveReason() !== '')
    throw new AppError('socket_refused', `receiver koffi does not work on this machine: ${slowReceiveReason()}`)
  return kind
}

/** What a listener is opened with. */
export function optionsOf(config: Config, input: Input, port: number): ReceiverOptions {
  return {
    transport: input === 'gre' ? 'gre' : 'udp',
    address: input === 'gre' && config.bind === '::' ? '0.0.0.0' : config.bind,
    port,
    bufferBytes: config.receive_buffer,
    ...userOf(config),
  }
}

/** tcpdump takes names alone. */
function userOf({ user }: Config): Pick<ReceiverOptions, 'user'> {
  const [name = ''] = (user ?? '').split(':')
  return name === '' || /^\d+$/.test(name) ? {} : { user: name }
}

function warnNoGre(log: Logger, error: AppError): void {
  log.warn(
    { listener: 'gre' },
    `${error.message}${error.details.map((detail) => ` ${detail}`).join('')}; all else runs`,
  )
}

function combined(faults: readonly AppError[]): AppError {
  const [first, ...rest] = faults as [AppError, ...AppError[]]
  if (rest.length === 0) return first
  return new AppError(first.code, first.message, {
    cause: first.cause,
    details: [...first.details, ...rest.flatMap((fault) => [fault.message, ...fault.details])],
  })
}
