/** The sockets of a collector, by configuration. */
import type { Config, OptionName } from '../config/options.ts'
import { AppError } from '../errors.ts'
import { openReceiver, slowReceiveReason } from '../receive/open.ts'
import type { Receiver } from '../receive/receiver.ts'
import type { Logger } from '../telemetry/log.ts'
import { INPUTS, type Input } from './demultiplex.ts'

/** Open listeners by what they receive. */
export type Listeners = ReadonlyMap<Input, Receiver>

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
  const open = new Map<Input, Receiver>()
  const faults: AppError[] = []
  for (const input of INPUTS) {
    const port = portOf(config, input)
    if (port === null) continue
    try {
      const receiver = await openOne(config, input, port)
      open.set(input, receiver)
      if (receiver.advice !== '') log.warn({ listener: input }, receiver.advice)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      if (input === 'gre' && error.code === 'socket_refused') warnNoGre(log, error)
      else faults.push(error)
    }
  }
  if (config.receiver === 'auto' && slowReceiveReason() !== '') log.info(`datagrams one by one: ${slowReceiveReason()}`)
  if (faults.length === 0) return open
  await closeListeners(open)
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

function openOne(config: Config, input: Input, port: number): Promise<Receiver> {
  const kind = config.receiver === 'auto' ? undefined : (config.receiver as 'koffi' | 'dgram')
  if (kind === 'koffi' && slowReceiveReason() !== '')
    throw new AppError('socket_refused', `receiver koffi does not work on this machine: ${slowReceiveReason()}`)
  return openReceiver(
    {
      transport: input === 'gre' ? 'gre' : 'udp',
      address: input === 'gre' && config.bind === '::' ? '0.0.0.0' : config.bind,
      port,
      bufferBytes: config.receive_buffer,
    },
    kind,
  )
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
