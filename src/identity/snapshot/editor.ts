/**
 * Changes a laid-out model in small: what is new is added behind what is there, what has ended is closed, and a snapshot that
 * shares all the rest is published. What it cannot do is refused (provider and external networks, segments, agents, what is gone of hosts
 * and networks): then the model is laid out anew.
 *
 * A snapshot published before shares the memory too, and must not be used after the next one is.
 */
import type { CloudModel, FloatingIp, Network, Port, Project, Router, Server, Subnet } from '../cloud.ts'
import type { History, HostHistory } from '../history.ts'
import type { OvsHost } from '../sources/ovsdb/host.ts'
import { layOut } from './build.ts'
import { HostEditor, type Plugged } from './edit-hosts.ts'
import { PortEditor, type TrunkEdit } from './edit-ports.ts'
import { RoutingEditor } from './edit-routing.ts'
import { TEXTS } from './endpoints.ts'
import { isLeg } from './networks.ts'
import { IdentitySnapshot } from './snapshot.ts'
import { MANY, type Slices } from './slices.ts'
import { Workbench } from './workbench.ts'

/** A change that the editor may make. Times: until when the old holds, from when the new does. */
export type Edit = { fromMs: number; toMs: number } & (
  | { kind: 'port'; before: Port | undefined; after: Port | undefined; hosts?: readonly string[] }
  | { kind: 'floating'; before: FloatingIp | undefined; after: FloatingIp | undefined }
  | { kind: 'server'; server: Server }
  | { kind: 'project'; before: Project | undefined; after: Project }
  | { kind: 'network'; before: Network | undefined; after: Network }
  /** All subnets that a network has now. */
  | { kind: 'subnets'; network: string; subnets: readonly Subnet[] }
  | { kind: 'router'; id: string; after: Router | undefined }
  | ({ kind: 'subport' } & TrunkEdit)
  | { kind: 'interface'; host: string; before: Plugged | undefined; after: Plugged | undefined; now: OvsHost }
  | { kind: 'host'; host: string; before: OvsHost | undefined; now: OvsHost; history: HostHistory }
)

/** Room for changes, beside a tenth of the model. */
const SPARE = 4_096
const SERVER = TEXTS.indexOf('server')
const PROJECT = TEXTS.indexOf('project')

export class SnapshotEditor {
  private readonly bench: Workbench
  private readonly routing: RoutingEditor
  private readonly ports: PortEditor
  private readonly hosts: HostEditor

  private constructor(bench: Workbench, legs: readonly Port[]) {
    this.bench = bench
    this.routing = new RoutingEditor(bench, legs)
    this.ports = new PortEditor(bench, this.routing)
    this.hosts = new HostEditor(bench)
  }

  /** Lays a model out, a slice at a time. Nothing of it may change meanwhile. */
  static *of(cloud: CloudModel, asOfMs: number, history: History): Slices<SnapshotEditor> {
    const laid = yield* layOut(cloud, asOfMs, history, SPARE + Math.ceil(cloud.ports.length / 10))
    const { strange } = laid.indexer.index
    const named = [...cloud.subnets, ...cloud.segments].map(({ network_id }) => network_id)
    for (const id of [...named, ...(cloud.tunnelKeys?.values() ?? [])])
      if (!laid.topology.networkIndex.has(id)) strange.add(id)
    const legs: Port[] = []
    for (const [i, port] of cloud.ports.entries()) {
      if (isLeg(port)) legs.push(port)
      if (i % MANY === 0) yield
    }
    return new SnapshotEditor(new Workbench(laid), legs)
  }

  publish(asOfMs: number): IdentitySnapshot {
    const { bench } = this
    const { parts } = bench.laid
    bench.settle()
    bench.timed ||= parts.tables.byVlan.timed || parts.tables.byFloating.timed
    return new IdentitySnapshot({ ...parts, asOfMs, timed: bench.timed })
  }

  /** Makes the change; false when it cannot, and then the model has to be laid out anew. */
  apply(edit: Edit): boolean {
    const { endpoints, interfaces, empty } = this.bench.laid.parts
    if (endpoints.free < 64 || interfaces.free < 64) return false
    switch (edit.kind) {
      case 'port':
        return this.ports.port(edit.before, edit.after, edit.fromMs, edit.toMs, edit.hosts)
      case 'floating':
        return this.ports.floating(edit.before, edit.after, edit.fromMs, edit.toMs)
      case 'server':
        return this.server(edit.server)
      case 'project':
        return this.project(edit.before, edit.after)
      case 'network':
        return edit.before === undefined
          ? this.routing.addNetwork(edit.after)
          : this.routing.changeNetwork(edit.before, edit.after)
      case 'subnets':
        return this.routing.subnets(edit.network, edit.subnets)
      case 'router':
        return this.routing.router(edit.id, edit.after)
      case 'subport':
        return this.ports.subport(edit, edit.fromMs)
      case 'interface':
        return this.hosts.interface(edit.host, edit.before, edit.after, edit.now, edit)
      case 'host':
        return !empty && this.hosts.host(edit.host, edit.before, edit.now, edit.history)
      default:
        return false
    }
  }

  private project(before: Project | undefined, after: Project): boolean {
    const { indexer, parts } = this.bench.laid
    const { endpoints } = parts
    const { names } = indexer.index
    if (before === undefined) return names.addProject(after)
    names.renameProject(after)
    const number = names.projectNumber(after.id)
    for (let endpoint = 1; endpoint < endpoints.count; endpoint++)
      if (endpoints.project(endpoint) === number) endpoints.setText(endpoint, PROJECT, after.name || after.id)
    return true
  }

  private server(server: Server): boolean {
    const { indexer, parts } = this.bench.laid
    indexer.index.names.addServer(server)
    for (const endpoint of this.bench.endpointsOfServer(indexer.index.names.serverNumber(server.id)))
      parts.endpoints.setText(endpoint, SERVER, server.name || server.id)
    return true
  }
}
