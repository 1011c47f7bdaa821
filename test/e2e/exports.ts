/** Exports of the captures, sent to a running collector; and what it says of itself. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { setTimeout as sleep } from 'node:timers/promises'
import { readCapture } from '../../src/wire/capture.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { TRANSPORT, Transport } from '../../src/wire/transport.ts'
import { PCAPS } from '../paths.ts'

/** Where the exporters of the captures are sent from, since theirs are no addresses of this machine. */
const SENDERS: Readonly<Record<number, string>> = { 14: '127.0.0.14', 23: '127.0.0.23', 10: '127.0.0.10' }
export const ALIASES = Object.entries(SENDERS).flatMap(([last, from]) => [
  '--exporter-alias',
  `${from}=10.0.10.${last}`,
])

/** Sends the exports of a capture to a UDP port, from one socket for each exporter and port of theirs; how many. */
export async function send(capture: string, port: number): Promise<number> {
  const sockets = new Map<string, ReturnType<typeof createSocket>>()
  const transport = new Transport()
  let sent = 0
  for await (const packet of readCapture(fileBytes(`${PCAPS}${capture}/capture.pcap`))) {
    if (transport.find(packet) !== TRANSPORT.udp) continue
    const last = new Uint8Array(transport.source.buffer)[15]!
    const key = `${last} ${transport.sourcePort}`
    const socket = sockets.get(key) ?? createSocket('udp4')
    if (!sockets.has(key)) {
      await new Promise<void>((done) => socket.bind(0, SENDERS[last], done))
      sockets.set(key, socket)
    }
    const payload = transport.bytes.slice(transport.start, transport.end)
    await new Promise((done) => socket.send(payload, port, '127.0.0.1', done))
    // Not faster than the smallest receive buffer bears.
    if (++sent % 16 === 0) await sleep(5)
  }
  for (const socket of sockets.values()) socket.close()
  return sent
}

/** The line of /metrics that counts the flow records stored. */
export const STORED = 'ovsight_inserted_rows_total{table="flows"}'

/** Value of a line of /metrics, 0 when it is not there. */
export async function metric(url: string, line: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const found = text.split('\n').find((one) => one.startsWith(`${line} `))
  return found === undefined ? 0 : Number(found.slice(line.length))
}

/** Waits, half a minute at most: nothing to what a machine may have to do besides. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    if (await holds()) return
    await sleep(20)
  }
  assert.fail(`${what} did not come about`)
}
