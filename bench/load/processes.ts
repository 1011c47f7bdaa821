/** Collectors as processes, ours and others', and what the kernel tells of them. Same questions for all of them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Load } from './loads.ts'
import type { Counted, ReceiverTask } from './receiver.ts'
import type { Rung } from './rungs.ts'

/** Kernel buffer asked for; who may not have it gets what the machine grants. */
const BUFFER_BYTES = 64 * 1024 ** 2

export interface Subject {
  name: string
  pid: number
  /** UDP port; 47, the protocol, for GRE. */
  port: number
  /** What the kernel holds for it, and what it had to drop, over all its sockets. */
  queue(): { queuedBytes: number; drops: number }
  /** Ends it; what it says it counted, where it can be asked. */
  stop(): Promise<Counted | undefined>
}

const IPPROTO_GRE = 47

/** Starts ours with so many threads, to go as far as `rung`. */
export async function startOwn(load: Load, workers: number, rung: Rung = 'all'): Promise<Subject> {
  const task: ReceiverTask = {
    input: load.input,
    workers,
    identity: load.identity,
    aliases: load.exporters.map(({ from, as }) => `${from}=${as}`),
    bufferBytes: BUFFER_BYTES,
    rung,
  }
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('receiver.js', import.meta.url)), JSON.stringify(task)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const lines: string[] = []
  let arrived: (() => void) | undefined
  child.stdout.on('data', (chunk: Buffer) => {
    lines.push(...chunk.toString().split('\n').filter(Boolean))
    arrived?.()
  })
  const line = async () => {
    for (;;) {
      const next = lines.shift()
      if (next !== undefined) return next
      if (child.exitCode !== null) throw new Error(`the collector ended with ${child.exitCode}`)
      await new Promise<void>((resolve) => {
        arrived = resolve
        child.once('exit', () => resolve())
      })
    }
  }
  const told = JSON.parse(await line()) as { port: number }
  const port = load.input === 'gre' ? IPPROTO_GRE : told.port
  return {
    name: workers === 1 ? 'ovsight' : `ovsight, ${workers} workers`,
    pid: child.pid!,
    port,
    queue: () => queueOf(load.input, port),
    async stop() {
      child.kill('SIGTERM')
      const counted = JSON.parse(await line()) as Counted
      await ended(child)
      return counted
    },
  }
}

/** Others, by what they are for; only those that are installed are run. They write what they write: files, or nothing. */
const PEERS: readonly {
  name: string
  inputs: readonly Load['input'][]
  args(port: number, directory: string): string[]
}[] = [
  {
    name: 'nfcapd',
    inputs: ['netflow', 'ipfix'],
    args: (port, directory) => [
      '-w',
      directory,
      '-p',
      `${port}`,
      '-b',
      '127.0.0.1',
      '-B',
      `${BUFFER_BYTES}`,
      '-t',
      '3600',
    ],
  },
  {
    name: 'sfcapd',
    inputs: ['sflow'],
    args: (port, directory) => [
      '-w',
      directory,
      '-p',
      `${port}`,
      '-b',
      '127.0.0.1',
      '-B',
      `${BUFFER_BYTES}`,
      '-t',
      '3600',
    ],
  },
  {
    name: 'nfacctd',
    inputs: ['netflow', 'ipfix'],
    args: (port, directory) => pmacct(port, directory),
  },
  {
    name: 'sfacctd',
    inputs: ['sflow'],
    args: (port, directory) => pmacct(port, directory),
  },
]

function pmacct(port: number, directory: string): string[] {
  const keys = 'src_host,dst_host,src_port,dst_port,proto,tos,in_iface,out_iface'
  return ['-l', `${port}`, '-L', '127.0.0.1', '-P', 'print', '-c', keys, '-o', join(directory, 'out'), '-r', '3600']
}

/** Names of those that are installed and take this load. */
export function peersFor(load: Load): string[] {
  return PEERS.filter(({ name, inputs }) => inputs.includes(load.input) && isInstalled(name)).map(({ name }) => name)
}

export async function startPeer(name: string): Promise<Subject> {
  const peer = PEERS.find((one) => one.name === name)!
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-bench-'))
  const port = await freePort()
  const child = spawn(name, peer.args(port, directory), { stdio: 'ignore' })
  for (let i = 0; i < 100 && socketsOf('udp', port).length === 0; i++) await sleep(20)
  if (socketsOf('udp', port).length === 0) throw new Error(`${name} does not listen on ${port}`)
  return {
    name,
    pid: child.pid!,
    port,
    queue: () => queueOf('netflow', port),
    async stop() {
      // What pmacct's daemons end by.
      child.kill(name.endsWith('acctd') ? 'SIGINT' : 'SIGTERM')
      await ended(child)
      rmSync(directory, { recursive: true, force: true })
      return undefined
    },
  }
}

/** A process and those it started. */
export function processesOf(pid: number): number[] {
  return [pid, ...childrenOf(pid)]
}

/**
 * Resident memory of a process, and of those it started unless `all` is false. Pages of a file that several of them have, such as those of
 * Node.js itself, are there once and counted once.
 */
export function residentMib(pid: number, all = true): number {
  let kib = 0
  const shared = new Map<string, number>()
  for (const own of all ? processesOf(pid) : [pid]) {
    const ofFiles = new Map<string, number>()
    for (const { file, privateKib, sharedKib } of mappingsOf(own)) {
      kib += privateKib + (file === '' ? sharedKib : 0)
      if (file !== '') ofFiles.set(file, (ofFiles.get(file) ?? 0) + sharedKib)
    }
    for (const [file, held] of ofFiles) shared.set(file, Math.max(shared.get(file) ?? 0, held))
  }
  for (const one of shared.values()) kib += one
  return kib / 1024
}

/** What smaps (proc(5)) says of each mapping; `file` is '' where it is none of a file. */
function mappingsOf(pid: number): { file: string; privateKib: number; sharedKib: number }[] {
  const text = readFileSync(`/proc/${pid}/smaps`, 'utf8')
  return text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).map((mapping) => {
    const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(mapping)?.[1] ?? 0)
    return {
      file: /^[^\n]*\s(\/\S*)$/m.exec(mapping.split('\n', 1)[0] ?? '')?.[1] ?? '',
      privateKib: kib('Private_Clean') + kib('Private_Dirty'),
      sharedKib: kib('Shared_Clean') + kib('Shared_Dirty'),
    }
  })
}

/** CPU seconds of a process, and of those it started unless `all` is false; all threads, user and system, to the nanosecond. */
export function cpuSeconds(pid: number, all = true): number {
  let ns = 0
  for (const own of all ? processesOf(pid) : [pid])
    for (const thread of readdirSync(`/proc/${own}/task`))
      ns += Number(readFileSync(`/proc/${own}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  return ns / 1e9
}

/** Threads of a process and of those it started, stopped or let go on, so that its queue fills. */
export function pause(pid: number): void {
  for (const own of processesOf(pid)) process.kill(own, 'SIGSTOP')
}

export function goOn(pid: number): void {
  for (const own of processesOf(pid)) process.kill(own, 'SIGCONT')
}

/** What the kernel holds for a UDP port or for GRE, and what it had to drop, over all sockets on it. */
export function queueOf(input: Load['input'], port: number): { queuedBytes: number; drops: number } {
  const own = socketsOf(input === 'gre' ? 'raw' : 'udp', port)
  if (own.length === 0) throw new Error(`nothing listens on ${port}`)
  return {
    queuedBytes: own.reduce((sum, [, , , , queues = '']) => sum + Number.parseInt(queues.split(':')[1] ?? '0', 16), 0),
    drops: own.reduce((sum, fields) => sum + Number(fields.at(-1)), 0),
  }
}

/** Rows of /proc/net/udp and udp6 with that local port, or of raw for a protocol on 127.0.0.1: a sender has a socket of it as well. */
function socketsOf(table: 'udp' | 'raw', port: number): string[][] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const local = table === 'raw' ? `0100007F:${hex}` : `:${hex}`
  return [`/proc/net/${table}`, `/proc/net/${table}6`]
    .flatMap((file) => (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/))
    .filter(([, address = '']) => address.endsWith(local))
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  if (!existsSync(file)) return []
  const own = readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  return own.flatMap((child) => [child, ...childrenOf(child)])
}

function isInstalled(name: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => folder !== '' && existsSync(join(folder, name)))
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind({ address: '127.0.0.1' }, done))
  const { port } = socket.address()
  socket.close()
  return port
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
