import { openDgramReceiver } from './dgram.ts'
import { openKoffiReceiver } from './koffi.ts'
import { loadLibc } from './libc.ts'
import type { Receiver, ReceiverOptions } from './receiver.ts'

/**
 * Opens a receiver, bound but silent until `start`. `kind` chooses the implementation; by default recvmmsg where this machine has
 * it. Errors: `port_in_use` (says who has it), `socket_refused` (a privilege or an address is missing; for GRE without
 * CAP_NET_RAW the collector warns and goes on), `config_invalid`.
 */
export async function openReceiver(options: ReceiverOptions, kind?: Receiver['kind']): Promise<Receiver> {
  const libc = kind === 'dgram' ? 'not asked for' : loadLibc()
  if (typeof libc !== 'string') return openKoffiReceiver(libc, options)
  if (kind === 'koffi') throw new Error(libc)
  return openDgramReceiver(options)
}

/** Why recvmmsg is not used on this machine, one event a datagram instead; '' when it is. */
export function slowReceiveReason(): string {
  const libc = loadLibc()
  return typeof libc === 'string' ? libc : ''
}
