import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Readable } from 'node:stream'
import { AppError } from '../errors.ts'
import { readCapture } from '../wire/capture.ts'
import { TRANSPORT, Transport } from '../wire/transport.ts'
import { Gather } from './gather.ts'
import type { DatagramBatch, Receiver, ReceiverOptions, ReceiverStats } from './receiver.ts'
import { describe, refused } from './socket.ts'

type Child = ChildProcessByStdio<null, Readable, Readable>

/** `0 packets dropped by kernel`, of the report tcpdump makes on SIGUSR1 and at its end. */
const DROPPED = /(\d+) packets? dropped by kernel/g

/**
 * GRE where there is no koffi: a `tcpdump` child writes what arrives as a capture to its standard output. Its options are fixed and
 * the address a checked literal; no shell is involved.
 *
 * Errors: `socket_refused` when tcpdump is not there or may not capture; `config_invalid` for an address that is not IPv4.
 */
export async function openTcpdumpReceiver(options: ReceiverOptions): Promise<Receiver> {
  if (!isIPv4(options.address))
    throw new AppError('config_invalid', `GRE is received over IPv4, so ${options.address} cannot be listened on`)
  const any = options.address === '0.0.0.0'
  const own = any ? 'any' : interfaceOf(options)
  const filter = `ip proto 47${any ? '' : ` and dst host ${options.address}`}`
  // Arriving packets only, none cut, each written at once (not after a second), the kernel's ring as large as asked for.
  const ringKiB = Math.max(1, Math.ceil(options.bufferBytes / 1024))
  const args = [
    '-i',
    own,
    '-Q',
    'in',
    '-n',
    '-U',
    '--immediate-mode',
    '-s',
    '0',
    '-B',
    String(ringKiB),
    '-w',
    '-',
    // Started by root it becomes the user that this process will be, or it could not be told to stop.
    ...(options.user === undefined ? [] : ['-Z', options.user]),
    filter,
  ]
  const child = spawn('tcpdump', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  await listening(child, options)
  return new TcpdumpReceiver(child, options)
}

class TcpdumpReceiver implements Receiver {
  readonly kind = 'tcpdump'
  readonly transport = 'gre'
  readonly address: string
  readonly port = 0
  readonly advice = ''
  private readonly child: Child
  private readonly gather: Gather
  private readonly reading: Promise<void>
  private closing: Promise<void> | undefined

  constructor(child: Child, options: ReceiverOptions) {
    this.child = child
    this.address = options.address
    this.gather = new Gather(options)
    this.gather.totals.bufferBytes = options.bufferBytes
    child.stderr.setEncoding('utf8').on('data', (text: string) => this.readDrops(text))
    this.reading = this.read()
  }

  start(onBatch: (batch: DatagramBatch) => void): void {
    if (this.closing !== undefined) throw new Error('a receiver is started before it is closed')
    this.gather.start(onBatch)
  }

  /** `kernelDrops` is that of the call before: tcpdump reports when asked to. */
  stats(): ReceiverStats {
    if (this.closing === undefined && !this.signal('SIGUSR1')) this.gather.totals.kernelDrops = -1
    return { ...this.gather.totals }
  }

  close(): Promise<void> {
    this.closing ??= this.closeNow()
    return this.closing
  }

  private async closeNow(): Promise<void> {
    // One that cannot be told ends with the next packet, which it finds nobody to take.
    if (this.signal('SIGTERM')) await this.reading
    else this.leave()
    this.gather.flush()
  }

  private leave(): void {
    this.child.stdout.destroy()
    this.child.stderr.destroy()
    this.child.unref()
  }

  /** False when it runs as somebody else, to whom this process may not speak since it gave root up. */
  private signal(name: 'SIGUSR1' | 'SIGTERM'): boolean {
    try {
      // Not through the child, which tells such a fault as an event.
      process.kill(this.child.pid!, name)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'EPERM'
    }
    return true
  }

  /** Until tcpdump ends; it ends by `close`, or when its interface goes away. */
  private async read(): Promise<void> {
    const ended = once(this.child, 'close')
    const transport = new Transport()
    const { batch } = this.gather
    try {
      for await (const packet of readCapture(this.child.stdout)) {
        if (transport.find(packet) !== TRANSPORT.gre) continue
        const i = this.gather.add(transport.bytes, transport.start, transport.end)
        if (i < 0) continue
        batch.source.set(transport.source, i * 4)
        batch.sourcePort[i] = 0
      }
    } catch (error) {
      // Killed in the middle of a packet, or before the first; or left, and its output closed.
      if (!(error instanceof AppError) && this.closing === undefined) throw error
    }
    await ended
  }

  private readDrops(text: string): void {
    for (const [, dropped] of text.matchAll(DROPPED))
      this.gather.totals.kernelDrops = Number(dropped) + this.gather.early
  }
}

/** Resolves when tcpdump captures; what it says before is its reason not to. */
async function listening(child: Child, options: ReceiverOptions): Promise<void> {
  let said = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new AppError(
          'socket_refused',
          `${describe(options)} needs the npm package koffi on Linux, or tcpdump, which cannot be run (${error.code ?? error.message})`,
        ),
      ),
    )
    child.once('close', () => reject(refused(options, /permi|not permitted/i.test(said) ? 'EPERM' : said.trim())))
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString()
      if (said.includes('listening on')) resolve()
    })
  })
  child.removeAllListeners('close').removeAllListeners('error')
  child.stderr.removeAllListeners('data')
}

/** The interface that has the address. */
function interfaceOf(options: ReceiverOptions): string {
  const found = Object.entries(networkInterfaces()).find(([, own]) =>
    own?.some(({ address }) => address === options.address),
  )
  if (found === undefined) throw refused(options, 'EADDRNOTAVAIL')
  return found[0]
}
