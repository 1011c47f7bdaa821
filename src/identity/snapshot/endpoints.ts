/**
 * Endpoints: everything an end of a flow can be, as a struct of arrays. An endpoint is one Neutron port (or a floating IP
 * that no port has, a host, the outside) for as long as its identity holds: a port that changes becomes another endpoint,
 * so a record is resolved as of its own time by `fromMs`/`toMs`. Index 0 is "not known".
 */
import type { Lanes, Mac } from '../addresses.ts'

/** What an endpoint is. The names are those of END_KIND in the schema. */
export const ENDPOINT_KINDS = [
  'unknown',
  'server',
  'router',
  'dhcp',
  'floating',
  'snat',
  'infrastructure',
  'external',
  'group',
  'other',
] as const
export type EndpointKind = (typeof ENDPOINT_KINDS)[number]
export const KIND = Object.fromEntries(ENDPOINT_KINDS.map((name, code) => [name, code])) as Readonly<
  Record<EndpointKind, number>
>

/** Endpoints that every snapshot has. */
export const EXTERNAL = 1
export const GROUP = 2
export const METADATA = 3

/** Names of an endpoint, in the order of `TEXTS`. */
export const TEXTS = [
  'project_id',
  'project',
  'network_id',
  'network',
  'server_id',
  'server',
  'port_id',
  'port',
  'host',
  'router_id',
] as const
export type EndpointTexts = Partial<Record<(typeof TEXTS)[number], string>>

export interface EndpointFacts {
  kind: EndpointKind
  texts: EndpointTexts
  network?: number
  host?: number
  router?: number
  /** Small number of the project, 0 = none. */
  project?: number
  mac?: Mac | undefined
  addresses?: readonly Lanes[]
  fromMs?: number
  toMs?: number
}

/** Immutable once built. Addresses and MACs are signed words, like the keys of lanes.ts; `texts` holds TEXTS.length strings an endpoint. */
export interface Endpoints {
  readonly count: number
  readonly kind: Uint8Array
  readonly network: Uint32Array
  readonly host: Uint32Array
  readonly router: Uint32Array
  readonly project: Uint32Array
  readonly macHigh: Int32Array
  readonly macLow: Int32Array
  /** First address, four lanes an endpoint; most ports have no other. */
  readonly address: Int32Array
  readonly fromMs: Float64Array
  readonly toMs: Float64Array
  /** Bits of REPORTS: what reports this endpoint's traffic at its own interface. */
  readonly reports: Uint8Array
  /** 1 when `reports` comes from OVSDB, 0 when it has to be learned from what arrives. */
  readonly reportsKnown: Uint8Array
  readonly texts: readonly string[]
}

/** Gathers endpoints and freezes them into arrays. */
export class EndpointBuilder {
  readonly facts: EndpointFacts[] = [
    { kind: 'unknown', texts: {} },
    { kind: 'external', texts: {} },
    { kind: 'group', texts: {} },
    { kind: 'dhcp', texts: {} },
  ]

  add(facts: EndpointFacts): number {
    this.facts.push(facts)
    return this.facts.length - 1
  }

  build(): Endpoints {
    const { facts } = this
    const u32 = (value: (fact: EndpointFacts) => number) => Uint32Array.from(facts, value)
    const address = new Int32Array(facts.length * 4)
    for (const [i, { addresses = [] }] of facts.entries())
      if (addresses[0] !== undefined) address.set(addresses[0], i * 4)
    return {
      count: facts.length,
      kind: Uint8Array.from(facts, (fact) => KIND[fact.kind]),
      network: u32((fact) => fact.network ?? 0),
      host: u32((fact) => fact.host ?? 0),
      router: u32((fact) => fact.router ?? 0),
      project: u32((fact) => fact.project ?? 0),
      macHigh: Int32Array.from(facts, (fact) => fact.mac?.high ?? 0),
      macLow: Int32Array.from(facts, (fact) => (fact.mac?.low ?? 0) | 0),
      address,
      fromMs: Float64Array.from(facts, (fact) => fact.fromMs ?? 0),
      toMs: Float64Array.from(facts, (fact) => fact.toMs ?? Number.MAX_VALUE),
      reports: new Uint8Array(facts.length),
      reportsKnown: new Uint8Array(facts.length),
      texts: facts.flatMap((fact) => TEXTS.map((name) => fact.texts[name] ?? '')),
    }
  }
}
