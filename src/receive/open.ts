import { openDgramReceiver } from './dgram.ts'
import { openKoffiReceiver } from './koffi.ts'
import { loadLibc } from './libc.ts'
import type { Receiver, ReceiverOptions } from './receiver.ts'
import { openTcpdumpReceiver } from './tcpdump.ts'

/**
 * Opens a receiver, bound but silent until `start`. By default it is recvmmsg where this machine has it; `dgram` chooses the portable
 * way, which is tcpdump for GRE. Errors: `port_in_use` (says who has it), `socket_refused` (a privilege or an address is missing; for GRE without
 * CAP_NET_RAW the collector warns and goes on), `config_invalid`.
 */
export async function openReceiver(options: ReceiverOptions, kind?: 'koffi' | 'dgram'): Promise<Receiver> {
  const libc = kind === 'dgram' ? 'not asked for' : loadLibc()
  if (typeof libc !== 'string') return openKoffiReceiver(libc, options)
  if (kind === 'koffi') throw new Error(libc)
  return options.transport === 'gre' ? openTcpdumpReceiver(options) : openDgramReceiver(options)
}

/** Why recvmmsg is not used on this machine, one event a datagram instead; '' when it is. */
export function slowReceiveReason(): string {
  const libc = loadLibc()
  return typeof libc === 'string' ? libc : ''
}
