/**
 * How an OVSDB server is named, as ovs-vsctl(8) writes it: `tcp:HOST:PORT`, `ssl:HOST:PORT` (IPv6 in brackets) and `unix:PATH` are
 * called; on `ptcp:PORT[:ADDRESS]` and `pssl:PORT[:ADDRESS]` ovsight waits for servers whose Manager row names it.
 */
import type { HostEntry } from '../../cloud.ts'

export type OvsdbTarget = { kind: 'tcp' | 'ssl'; host: string; port: number } | { kind: 'unix'; path: string }

/** Where to wait for servers that call. `address` undefined = all addresses. */
export interface OvsdbPassive {
  kind: 'ptcp' | 'pssl'
  port: number
  address: string | undefined
}

// RFC 7047 section 3: the IANA port.
const DEFAULT_PORT = 6640
const METHOD = /^(tcp|unix|ssl|ptcp|pssl|punix):(.+)$/

/** Whether the text names a server rather than a file. */
export function isTarget(text: string): boolean {
  return METHOD.test(text)
}

/** The target to call, or a sentence saying what is wrong with it. */
export function parseTarget(text: string): OvsdbTarget | string {
  const [, method, rest = ''] = METHOD.exec(text) ?? []
  if (method === 'unix') return { kind: 'unix', path: rest }
  if (method !== 'tcp' && method !== 'ssl')
    return `cannot connect to ${text}: give tcp:HOST:PORT, ssl:HOST:PORT, unix:PATH, or the file of a saved dump`
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(rest) ?? []
  const host = bracketed ?? plain
  const port = digits === undefined ? DEFAULT_PORT : Number(digits)
  if (host === undefined || port < 1 || port > 65535) return `${text} is not ${method}:HOST:PORT`
  return { kind: method, host, port }
}

/** The place to wait at, or a sentence saying what is wrong with it. */
export function parsePassive(text: string): OvsdbPassive | string {
  const [, kind, digits, bracketed, plain] = /^(ptcp|pssl):(\d+)(?::(?:\[([^\]]+)\]|([^:]+)))?$/.exec(text) ?? []
  const port = Number(digits)
  if (kind === undefined || port > 65535) return `${text} is not ptcp:PORT[:ADDRESS] or pssl:PORT[:ADDRESS]`
  return { kind: kind as OvsdbPassive['kind'], port, address: bracketed ?? plain }
}

/** The target as it is written. */
export function formatTarget(target: OvsdbTarget): string {
  if (target.kind === 'unix') return `unix:${target.path}`
  return `${target.kind}:${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`
}

/** A host whose OVSDB no source names has it where `ovsdb` says. */
export function withServer(host: HostEntry, pattern: string | null): HostEntry {
  const [address] = host.addresses
  if (pattern === null || host.ovsdb !== undefined || (address === undefined && pattern.includes('{address}')))
    return host
  const bracketed = address?.includes(':') === true ? `[${address}]` : (address ?? '')
  return { ...host, ovsdb: pattern.replaceAll('{address}', bracketed).replaceAll('{host}', host.name) }
}
