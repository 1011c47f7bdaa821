/**
 * Names of the model as codes of a batch's string table: each string is interned once per snapshot and string table, when it
 * is first needed, and from then on a row costs a copy of numbers.
 */
import { TEXTS } from '../identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { ColumnName, Columns } from '../schema/columns.ts'
import type { StringTable } from '../schema/strings.ts'
import { InterfaceNames } from './interface-names.ts'

const WIDTH = TEXTS.length
const HOST = TEXTS.indexOf('host')

/** The ten text columns of one end, in the order of TEXTS. */
export type EndColumns = readonly Uint32Array[]

export function endColumns(columns: Columns, side: 'src' | 'dst'): EndColumns {
  return TEXTS.map((text) => columns[`${side}_${text}` satisfies ColumnName])
}

export class Names {
  readonly snapshot: IdentitySnapshot
  readonly interfaces: InterfaceNames
  readonly strings: StringTable
  /** WIDTH codes an endpoint; `known` is 1 once they are there. */
  private readonly codes: Uint32Array
  private readonly known: Uint8Array
  private readonly hosts: Uint32Array
  private readonly bridges: Uint32Array
  private readonly devices: Uint32Array

  constructor(snapshot: IdentitySnapshot, strings: StringTable) {
    this.snapshot = snapshot
    this.strings = strings
    this.interfaces = new InterfaceNames(snapshot, strings)
    this.codes = new Uint32Array(snapshot.endpoints.count * WIDTH)
    this.known = new Uint8Array(snapshot.endpoints.count)
    this.hosts = new Uint32Array(snapshot.hosts.length)
    this.bridges = new Uint32Array(snapshot.bridges.length)
    this.devices = new Uint32Array(snapshot.interfaces.count)
  }

  /** Writes the texts of an end. `host` overrides the endpoint's own, 0 = as it is. */
  write(columns: EndColumns, row: number, endpoint: number, host: number): void {
    if (this.known[endpoint] === 0) this.learn(endpoint)
    const { codes } = this
    const at = endpoint * WIDTH
    for (let i = 0; i < WIDTH; i++) columns[i]![row] = codes[at + i]!
    if (host !== 0) columns[HOST]![row] = this.host(host)
  }

  host(host: number): number {
    return this.hosts[host]! || (this.hosts[host] = this.strings.intern(this.snapshot.hosts[host]!.name))
  }

  bridge(bridge: number): number {
    return this.bridges[bridge]! || (this.bridges[bridge] = this.strings.intern(this.snapshot.bridges[bridge]!.name))
  }

  device(item: number): number {
    return this.devices[item]! || (this.devices[item] = this.strings.intern(this.snapshot.interfaces.name[item]!))
  }

  private learn(endpoint: number): void {
    const at = endpoint * WIDTH
    for (let i = 0; i < WIDTH; i++) this.codes[at + i] = this.strings.intern(this.snapshot.endpoints.texts[at + i]!)
    this.known[endpoint] = 1
  }
}
