/**
 * What held before, and since when what holds now does: kept beside the model for as long as late records may still ask for it.
 * A thing without an entry in `since` has held for as long as anybody may ask.
 */
import type { FloatingIp, Port, Server } from './cloud.ts'
import type { OvsBridge, OvsInterface, OvsPort } from './sources/ovsdb/host.ts'
import type { Span } from './snapshot/timed.ts'

/** A port as it was. `server` is whose it was, where that is not in the model any more; `parent` its trunk's port. */
export interface PastPort extends Span {
  port: Port
  server: Server | undefined
  trunk: { parent: string; vlan: number | undefined } | undefined
}

export interface PastFloating extends Span {
  floating: FloatingIp
}

export interface PastInterface extends Span {
  host: string
  bridge: OvsBridge
  port: OvsPort
  item: OvsInterface
}

export interface History {
  readonly ports: readonly PastPort[]
  readonly floatingips: readonly PastFloating[]
  readonly interfaces: readonly PastInterface[]
  /** By the key of what holds now: a port's or floating IP's id, `interfaceKey`. */
  readonly since: ReadonlyMap<string, number>
}

/** What was of one host. */
export interface HostHistory extends Pick<History, 'since'> {
  readonly past: readonly PastInterface[]
}

export const NO_HISTORY: History = { ports: [], floatingips: [], interfaces: [], since: new Map() }

export function interfaceKey(host: string, bridge: string, name: string): string {
  return `${host}/${bridge}/${name}`
}

/** The span of something that holds now. */
export function spanSince(history: Pick<History, 'since'>, key: string): Span {
  return { fromMs: history.since.get(key) ?? 0, toMs: Number.MAX_VALUE }
}
