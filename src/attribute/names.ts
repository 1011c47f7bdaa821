/**
 * Names of the model as codes of a batch's string table: each string is interned once per snapshot and string table, when it
 * is first needed, and from then on a row costs a copy of numbers.
 */
import { TEXTS } from '../identity/snapshot/endpoints.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { BatchMemory } from '../schema/batch.ts'
import type { ColumnName } from '../schema/columns.ts'
import type { StringTable } from '../schema/strings.ts'
import type { Found } from './found.ts'
import { InterfaceNames } from './interface-names.ts'

const WIDTH = TEXTS.length
/** Codes of an endpoint lie in one cache line. */
const STRIDE_BITS = 4

export class Names {
  readonly snapshot: IdentitySnapshot
  readonly interfaces: InterfaceNames
  readonly strings: StringTable
  /** 2^STRIDE_BITS codes an endpoint, of which WIDTH are used; `known` is 1 once they are there. */
  private readonly codes: Uint32Array
  private readonly known: Uint8Array
  private readonly hosts: Uint32Array
  private readonly bridges: Uint32Array
  private readonly devices: Uint32Array

  constructor(snapshot: IdentitySnapshot, strings: StringTable) {
    this.snapshot = snapshot
    this.strings = strings
    this.interfaces = new InterfaceNames(snapshot, strings)
    this.codes = new Uint32Array(snapshot.endpoints.count << STRIDE_BITS)
    this.known = new Uint8Array(snapshot.endpoints.count)
    this.hosts = new Uint32Array(snapshot.hosts.length)
    this.bridges = new Uint32Array(snapshot.bridges.length)
    this.devices = new Uint32Array(snapshot.interfaces.count)
  }

  /** Writes all texts of `n` rows, from row `row` of the memory on. What was exported is left as it is. */
  write(memory: BatchMemory, row: number, n: number, found: Found): void {
    this.writeEnds(memory, 'src', row, n, found.sources, found.sourceHosts)
    this.writeEnds(memory, 'dst', row, n, found.destinations, found.destinationHosts)
    this.writePlaces(memory, row, n, found)
  }

  private writePlaces({ u32, layout }: BatchMemory, row: number, n: number, found: Found): void {
    const { hosts: hostCodes, bridges: bridgeCodes, devices } = this
    const { hosts, bridges, inIfs, outIfs } = found
    const host = layout.first.exporter_host + row
    const bridge = layout.first.bridge + row
    const inName = layout.first.in_if_name + row
    const outName = layout.first.out_if_name + row
    for (let i = 0; i < n; i++) {
      u32[host + i] = hostCodes[hosts[i]!]! || this.host(hosts[i]!)
      u32[bridge + i] = bridgeCodes[bridges[i]!]! || this.bridge(bridges[i]!)
    }
    for (let i = 0; i < n; i++) {
      if (u32[inName + i] === 0 && inIfs[i] !== 0) u32[inName + i] = devices[inIfs[i]!]! || this.device(inIfs[i]!)
      if (u32[outName + i] === 0 && outIfs[i] !== 0) u32[outName + i] = devices[outIfs[i]!]! || this.device(outIfs[i]!)
    }
  }

  /** Measured: 10 ns an end through the memory's one view, 17 with a loop a column, 60 row by row into the columns' views. */
  private writeEnds(
    memory: BatchMemory,
    side: 'src' | 'dst',
    row: number,
    n: number,
    endpoints: Int32Array,
    hosts: Int32Array,
  ): void {
    const { u32, layout } = memory
    const { codes, known } = this
    const [projectId, project, networkId, network, serverId, server, portId, port, host, routerId] = TEXTS.map(
      (text) => layout.first[`${side}_${text}` satisfies ColumnName] + row,
    ) as [number, number, number, number, number, number, number, number, number, number]
    for (let i = 0; i < n; i++) {
      const endpoint = endpoints[i]!
      if (known[endpoint] === 0) this.learn(endpoint)
      const at = endpoint << STRIDE_BITS
      u32[projectId + i] = codes[at]!
      u32[project + i] = codes[at + 1]!
      u32[networkId + i] = codes[at + 2]!
      u32[network + i] = codes[at + 3]!
      u32[serverId + i] = codes[at + 4]!
      u32[server + i] = codes[at + 5]!
      u32[portId + i] = codes[at + 6]!
      u32[port + i] = codes[at + 7]!
      u32[host + i] = hosts[i] === 0 ? codes[at + 8]! : this.host(hosts[i]!)
      u32[routerId + i] = codes[at + 9]!
    }
  }

  /** Reads the codes of `n` endpoints, for the cache's sake. */
  touch(endpoints: Int32Array, n: number): number {
    let sum = 0
    for (let i = 0; i < n; i++) sum += this.codes[endpoints[i]! << STRIDE_BITS]! + this.known[endpoints[i]!]!
    return sum
  }

  private host(host: number): number {
    return this.hosts[host]! || (this.hosts[host] = this.strings.intern(this.snapshot.hosts[host]!.name))
  }

  private bridge(bridge: number): number {
    return this.bridges[bridge]! || (this.bridges[bridge] = this.strings.intern(this.snapshot.bridges[bridge]!.name))
  }

  private device(item: number): number {
    return this.devices[item]! || (this.devices[item] = this.strings.intern(this.snapshot.interfaces.names[item]!))
  }

  private learn(endpoint: number): void {
    const { texts } = this.snapshot.endpoints
    for (let i = 0; i < WIDTH; i++)
      this.codes[(endpoint << STRIDE_BITS) + i] = this.strings.intern(texts[endpoint * WIDTH + i]!)
    this.known[endpoint] = 1
  }
}
