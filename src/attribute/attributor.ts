/**
 * Attribution: who the two ends of each record are, how sure that is, and how the record counts.
 *
 * One Attributor belongs to one thread. It keeps what outlives a batch: names as codes of each string table, what hosts
 * without OVSDB were seen to report, and which NetFlow flows have begun; each is bounded.
 */
import { inCidr, type Cidr } from '../identity/addresses.ts'
import { EMPTY_SNAPSHOT } from '../identity/snapshot/build.ts'
import { EXTERNAL, KIND, TEXTS } from '../identity/snapshot/endpoints.ts'
import { outerRanges } from '../identity/snapshot/networks.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { IF_KIND, REPORTS } from '../identity/snapshot/vantage.ts'
import { Answers } from '../schema/answers.ts'
import { getU64, type FlowBatch } from '../schema/batch.ts'
import type { Columns } from '../schema/columns.ts'
import { StringTable } from '../schema/strings.ts'
import { AnswerIndex } from './answer-index.ts'
import { Bridges } from './bridges.ts'
import { DIRECTION, EVIDENCE, GRADE, OUTPUT, PROTOCOL } from './codes.ts'
import { Counting } from './counting.ts'
import { EndFinder, isStation } from './find-ends.ts'
import { splitInterfaces } from './interface-ids.ts'
import { CHUNK, Found } from './found.ts'
import { NO_NAMES, type LearnedNames } from './learned.ts'
import { Names } from './names.ts'
import { NetflowPlaces } from './netflow-places.ts'
import { TunnelOverhead } from './overhead.ts'
import { Place } from './place.ts'
import { SOURCE, type Source } from './precedence.ts'
import { finishLimited } from './rate-limit.ts'
import { finishSampling, isScaled } from './sampling.ts'
import { Repeats } from './repeats.ts'
import { SLICE, Slice } from './slice.ts'
import type { Station } from './station.ts'
import { answerStraight } from './straight-answers.ts'
import { BY, Straight } from './straight.ts'
import { UNSURE, unsureBy, type OnUnsure } from './unsure.ts'

/** Higher sampling rates are not remembered. */
const MOST_RATE = 0x7fff_ffff
/** Where TEXTS has the port's id. */
const PORT_ID = TEXTS.indexOf('port_id')

export interface AttributorOptions {
  /** Which source counts where a bridge is reported by several at once; those left out come last. */
  precedence?: readonly Source[]
  /** 1 in how many packets Open vSwitch samples for IPFIX where its OVSDB does not say; 0 = not known. */
  ipfixSampling?: number
  /** What exporters told of their interfaces. */
  names?: LearnedNames
  /** Told of what a host without OVSDB is seen to report, when that is new: other threads count by it too. */
  onReports?: (host: string, reports: number) => void
  /** Told of rows that a later model may resolve. */
  onUnsure?: OnUnsure
  /** Whether a source may still tell of ports that OVSDB knows already; default true. */
  portsToCome?: boolean
  /** Whether the common case is taken by itself (straight.ts): the answers are the same, only later. For tests. */
  straight?: boolean
  /** Whether rows that come again are known again: the answers are the same, only later. For tests. */
  repeats?: boolean
}

export class Attributor {
  private snapshot: IdentitySnapshot = EMPTY_SNAPSHOT
  private readonly place = new Place(EMPTY_SNAPSHOT)
  private readonly netflowPlaces = new NetflowPlaces(EMPTY_SNAPSHOT, this.place)
  private readonly ends = new EndFinder(EMPTY_SNAPSHOT, this.place)
  private readonly counting: Counting
  private readonly ipfixSampling: number
  private readonly learned: LearnedNames
  private readonly onUnsure: OnUnsure | undefined
  /** Whether a source may still tell of ports that OVSDB knows already. May be changed at any time. */
  portsToCome: boolean
  /** Neutron has not said anything yet. */
  private noNetworks = true
  private floatingRanges: readonly Cidr[] = []
  private batch: FlowBatch | undefined
  /** Rows of the common case so far. */
  straightRows = 0
  /** Rows that were known again. */
  repeatedRows = 0
  private readonly straight = new Straight()
  private readonly straightAway: boolean
  private readonly overhead = new TunnelOverhead()
  private readonly found = new Found()
  private readonly namesOf = new WeakMap<StringTable, Names>()
  private readonly last = new Uint32Array(4)
  private lastHost = 0
  private readonly bridges = new Bridges()
  private names = new Names(EMPTY_SNAPSHOT, new StringTable(16))
  private index = new AnswerIndex(new Answers())
  private readonly repeats = new Repeats()
  private readonly slice = new Slice()
  private readonly remembers: boolean
  /** Whether all that is done for the row at hand follows from what `Repeats` compares. */
  private repeatable = true
  private newsSeen = 0
  private readonly indexOf = new WeakMap<Answers, AnswerIndex>()

  constructor(options: AttributorOptions = {}) {
    this.ipfixSampling = options.ipfixSampling ?? 0
    this.learned = options.names ?? NO_NAMES
    this.onUnsure = options.onUnsure
    this.portsToCome = options.portsToCome ?? true
    this.straightAway = options.straight ?? true
    this.remembers = options.repeats ?? true
    this.counting = new Counting(EMPTY_SNAPSHOT, options.precedence)
    this.counting.onReports = options.onReports
  }

  /** What another thread saw a host without OVSDB report. */
  heard(host: string, reports: number): void {
    this.counting.hear(host, reports)
  }

  /**
   * Fills, in rows `from … batch.rows − 1`, every column that attribution owns: all of `src_*` and `dst_*` from the project on,
   * `exporter_host`, `bridge`, interface names that were not exported, `role`, `traffic_class` and `counts_*`; and corrects
   * what only the model can: the sampling rate of OVS's IPFIX with samples and variances, interface numbers into which
   * NetFlow mixed its engine id, NetFlow's tunnel overhead. Running it again on the same rows changes no count.
   */
  attribute(batch: FlowBatch, snapshot: IdentitySnapshot, from = 0): void {
    this.answer(batch, snapshot, from)
    batch.expand(from)
  }

  /** The same, and leaves the batch answered: the columns that attribution alone writes are told by the number of each row's answer. */
  answer(batch: FlowBatch, snapshot: IdentitySnapshot, from = 0): void {
    this.use(snapshot, batch)
    batch.answered = true
    this.batch = batch
    for (let row = from; row < batch.rows; row += CHUNK) {
      const n = Math.min(CHUNK, batch.rows - row)
      if ((row - from) % SLICE === 0) this.slice.look(batch, row, Math.min(row + SLICE, batch.rows))
      if (snapshot.empty) this.findNobody(batch, row, n)
      else this.find(batch, row, n)
      if (this.slice.limited) for (let i = row; i < row + n; i++) finishLimited(batch.columns, i)
    }
  }

  /** Who the ends of rows `row … row + n − 1` are: as before where they come again, else they are looked for. */
  private find(batch: FlowBatch, row: number, n: number): void {
    const { straight, repeats, found, snapshot, names } = this
    const { numbers } = repeats
    straight.findHosts(batch.columns, row, n, snapshot)
    repeats.find(batch, row, n, straight.host, this.slice, snapshot, found)
    this.repeatedRows += n - repeats.missing
    const missing = repeats.missing > 0
    if (missing) this.findMissing(batch.columns, row, n)
    this.finishKnown(batch, row, n)
    if (missing) this.index.numbersOf(found, n, names, numbers)
    batch.answer.set(numbers.subarray(0, n), row)
    if (missing) repeats.keep(batch, row, n, found, names)
    if (missing || repeats.kinds.longs > 0) names.writeInterfaces(batch.memory, batch.base + row, n, found)
  }

  /** Looks for those rows of the chunk that are not known again. */
  private findMissing(c: Columns, row: number, n: number): void {
    const { straight, repeats, found, snapshot, names } = this
    const { numbers, known, rates } = repeats
    // Few rows are resolved one by one with less effort than a chunk in steps; of a timed model only rows of the common case are remembered.
    const steps = this.straightAway && repeats.missing * 8 > (snapshot.timed ? 0 : n)
    if (steps) straight.find(c, row, n, snapshot, names, numbers)
    for (let i = 0; i < n; i++) {
      known[i] = 0
      if (numbers[i] !== 0) continue
      this.repeatable = this.remembers
      if (!steps || straight.own[i] === 0) this.resolve(c, row + i, i)
      else if (!this.answerRow(c, row + i, i)) this.resolveStraight(c, row + i, i)
      if (this.repeatable) {
        const rate = this.bridges.ipfixRate(found.bridges[i]!, c.observation_domain[row + i]!, c.observation_point[row + i]!) // prettier-ignore
        known[i] = rate > MOST_RATE ? 0 : 1
        rates[i] = rate
      }
      // Something new was seen: rows that are known may count otherwise from now on.
      if (this.counting.news !== this.newsSeen) this.forget(i + 1, n)
    }
  }

  /** Writes what is left of the rows that are known again: names of interfaces, and what follows from the sampling rate. */
  private finishKnown(batch: FlowBatch, row: number, n: number): void {
    const { repeats, slice, ipfixSampling } = this
    const { numbers, rates, kinds } = repeats
    const c = batch.columns
    repeats.writeNames(batch, row, n, this.found)
    // Counts that are not scaled have nothing to be finished.
    if (!repeats.rated && !slice.sampled && ipfixSampling === 0) return
    for (let i = 0; i < n; i++) {
      if (kinds.protocol(i) !== PROTOCOL.ipfix || numbers[i] === 0) continue
      const rate = rates[i]!
      if (rate > 1 || slice.sampled || (rate < 0 && ipfixSampling !== 0))
        finishSampling(c, row + i, rate >= 0 ? rate : this.otherRate(c, row + i))
      else if (rate === 1 && c.sampling_rate[row + i] === 0) c.sampling_rate[row + i] = 1
    }
  }

  /** What is remembered holds no more, nor what was found of it for rows `i … n − 1` of the chunk. */
  private forget(i = 0, n = 0): void {
    this.repeats.forget()
    this.repeats.numbers.fill(0, i, n)
    this.newsSeen = this.counting.news
  }

  private findNobody(batch: FlowBatch, row: number, n: number): void {
    const { numbers } = this.repeats
    for (let i = 0; i < n; i++) this.withoutModel(batch, row + i, i)
    this.index.numbersOf(this.found, n, this.names, numbers.fill(0))
    batch.answer.set(numbers.subarray(0, n), row)
    this.names.writeInterfaces(batch.memory, batch.base + row, n, this.found)
  }

  private withoutModel(batch: FlowBatch, row: number, i: number): void {
    const { place, counting, ends, names } = this
    const c = batch.columns
    // First the names, so that a row which waits has them, also after a restart.
    if (c.export_protocol[row] === PROTOCOL.sflow5) this.nameInterfaces(c, row, names.strings)
    this.onUnsure?.(batch, row, UNSURE.source | UNSURE.destination, '', '')
    place.clear(0)
    ends.src.clear(EVIDENCE.no_model)
    ends.dst.clear(EVIDENCE.no_model)
    counting.unattributed(c.flow_direction[row] === DIRECTION.egress)
    this.keep(c, row, i)
    if (c.export_protocol[row] === PROTOCOL.ipfix) finishSampling(c, row, isScaled(c, row) ? this.ipfixSampling : 0)
  }

  private use(snapshot: IdentitySnapshot, { strings, answers }: FlowBatch): void {
    if (snapshot !== this.snapshot) {
      this.snapshot = snapshot
      this.noNetworks = snapshot.topology.networks.length <= 1
      this.floatingRanges = outerRanges(snapshot.topology)
      this.place.use(snapshot)
      this.netflowPlaces.use(snapshot)
      this.ends.use(snapshot)
      this.counting.use(snapshot)
      this.straight.use(snapshot)
      this.last.fill(0)
      this.lastHost = 0
      this.bridges.use(snapshot)
    }
    if (this.names.snapshot !== snapshot || this.names.strings !== strings) {
      this.forget()
      const known = this.namesOf.get(strings)
      this.names = known?.use(snapshot) === true ? known : new Names(snapshot, strings)
      this.namesOf.set(strings, this.names)
    }
    if (this.index.answers !== answers) {
      this.forget()
      this.index = this.indexOf.get(answers) ?? new AnswerIndex(answers)
      this.indexOf.set(answers, this.index)
    }
    if (this.index.use(snapshot) || this.counting.news !== this.newsSeen) this.forget()
  }

  /** A row of the common case; false when the place has to be known for it. */
  private answerRow(c: Columns, row: number, i: number): boolean {
    const { straight, snapshot, names, bridges, counting, found } = this
    if (!answerStraight(c, row, i, straight, snapshot, names, bridges, counting, found)) return false
    this.straightRows++
    if (c.export_protocol[row] === PROTOCOL.ipfix) finishSampling(c, row, this.ipfixRate(c, row, found.bridges[i]!))
    return true
  }

  /** The same, where only the counting is left. */
  private resolveStraight(c: Columns, row: number, i: number): void {
    const { place, straight, snapshot } = this
    const { src, dst } = this.ends
    this.straightRows++
    if (snapshot.timed) this.repeatable = false
    const own = straight.own[i]!
    const other = straight.other[i]!
    const netflow = c.export_protocol[row] === PROTOCOL.netflow5
    const egress = !netflow && c.flow_direction[row] === DIRECTION.egress
    place.clear(straight.host[i]!)
    if (snapshot.timed) place.atMs = getU64(c.flow_end, row)
    place.inIf = straight.inIf[i]!
    place.outIf = straight.outIf[i]!
    place.inEndpoint = egress ? 0 : own
    place.bridge = snapshot.interfaces.bridge(egress ? place.outIf : place.inIf)
    if (egress) place.outKind = IF_KIND.port
    else place.inKind = IF_KIND.port
    const name = egress ? c.out_if_name[row] : c.in_if_name[row]
    const evidence = netflow ? EVIDENCE.ofport : name !== 0 ? EVIDENCE.if_name : EVIDENCE.if_index
    const at = egress ? dst : src
    const away = egress ? src : dst
    at.set(own, GRADE.port, evidence)
    at.host = place.host
    if (straight.by[i] === BY.mac) away.set(other, GRADE.mac, EVIDENCE.network_mac)
    else if (straight.by[i] === BY.address) away.set(other, GRADE.address, EVIDENCE.network_address)
    else {
      away.set(other, GRADE.port, evidence)
      away.host = place.host
    }
    if (netflow) this.finishNetflow(c, row)
    else this.finishIpfix(c, row, egress)
    this.keep(c, row, i)
  }

  /** Any row. What depends on its time, or changes the row itself, is not the same when it comes again. */
  private resolve(c: Columns, row: number, i: number): void {
    const { place, snapshot } = this
    this.ends.read(c, row)
    if (snapshot.timed) {
      const atMs = getU64(c.flow_end, row)
      this.ends.resolver.atMs = atMs
      place.atMs = atMs
      this.repeatable = false
    }
    place.clear(this.exporterHost(c.exporter, row))
    this.byProtocol(c, row)
    this.keep(c, row, i)
  }

  private byProtocol(c: Columns, row: number): void {
    const { place } = this
    switch (c.export_protocol[row]) {
      case PROTOCOL.netflow5:
        this.netflow(c, row)
        return
      case PROTOCOL.sflow5:
        place.clear(this.agentHost(c, row) || place.host)
        this.sflow(c, row)
        return
      case PROTOCOL.gre:
      case PROTOCOL.erspan:
      case PROTOCOL.vxlan:
        this.mirror(c, row)
        return
      default:
        this.ipfix(c, row)
    }
  }

  /** Records of one exporter come together, so the last answer is mostly this one. */
  private exporterHost(lanes: Uint32Array, row: number): number {
    const { last } = this
    const at = row * 4
    if (last[3] === lanes[at + 3] && last[2] === lanes[at + 2] && last[1] === lanes[at + 1] && last[0] === lanes[at])
      return this.lastHost
    for (let i = 0; i < 4; i++) last[i] = lanes[at + i]!
    this.lastHost = this.snapshot.hostAt(lanes, row)
    return this.lastHost
  }

  /** The agent says better than the source address whose samples they are, where the two differ. */
  private agentHost({ agent, exporter }: Columns, row: number): number {
    const at = row * 4
    return agent[at + 3] === exporter[at + 3] && agent[at] === exporter[at] ? 0 : this.snapshot.hostAt(agent, row)
  }

  private netflow(c: Columns, row: number): void {
    const { place, ends, snapshot } = this
    const engine = c.observation_domain[row]!
    if (place.host !== 0) this.netflowPlaces.find(engine, c.in_if[row]!, ends.source, ends.destination)
    if (place.addId) {
      this.repeatable = false
      splitInterfaces(c, row, engine, snapshot.interfaces.ofport(place.inIf))
    }
    this.findPorts(c, row)
    if (place.inIf === 0 && !snapshot.hosts[place.host]!.ovs) this.findByToldOfport(c, row)
    place.settleIngress(c, row, ends.source)
    ends.ingress(c, row, this.byDevice(place.inIf, place.inEndpoint, EVIDENCE.ofport))
    this.tellUnsure(row)
    this.finishNetflow(c, row)
  }

  private finishNetflow(c: Columns, row: number): void {
    const { place, ends, counting, snapshot } = this
    counting.see(place.host, REPORTS.netflow)
    counting.ingress(place, ends.src, ends.dst, REPORTS.netflow, SOURCE.netflow)
    const network = snapshot.interfaces.network(place.inIf)
    const perPacket = this.overhead.perPacket(snapshot, place, network, ends.dst)
    if (perPacket === 0) return
    this.repeatable = false
    this.overhead.correct(c, row, perPacket, place.inIf)
  }

  private sflow(c: Columns, row: number): void {
    const { place, ends, counting, snapshot, names } = this
    const { interfaces } = snapshot
    place.inIf = place.interfaceOf(names.interfaces, 0, c.in_if[row]!)
    const leaves = c.output_kind[row] === OUTPUT.interface
    if (leaves) place.outIf = place.interfaceOf(names.interfaces, 0, c.out_if[row]!)
    const told = place.inIf === 0 || (leaves && place.outIf === 0)
    if (told) {
      this.nameInterfaces(c, row, names.strings)
      if (place.inIf === 0) place.inIf = place.interfaceOf(names.interfaces, c.in_if_name[row]!, 0)
      if (leaves && place.outIf === 0) place.outIf = place.interfaceOf(names.interfaces, c.out_if_name[row]!, 0)
    }
    place.bridge = interfaces.bridge(place.inIf) || interfaces.bridge(place.outIf)
    this.findPorts(c, row)
    if (told) this.findDevices(c.in_if_name[row]!, leaves ? c.out_if_name[row]! : 0)
    place.settleIngress(c, row, ends.source)
    ends.ingress(c, row, this.byDevice(place.inIf, place.inEndpoint, EVIDENCE.if_index))
    this.tellUnsure(row)
    counting.see(place.host, REPORTS.sflow)
    counting.ingress(place, ends.src, ends.dst, REPORTS.sflow, SOURCE.sflow)
  }

  /** IPFIX, and NetFlow v9 of routers, which have no ports of servers. */
  private ipfix(c: Columns, row: number): void {
    const { place, ends, snapshot, names } = this
    const { interfaces } = snapshot
    const egress = c.flow_direction[row] === DIRECTION.egress
    place.inIf = place.interfaceOf(names.interfaces, c.in_if_name[row]!, c.in_if[row]!)
    if (egress) place.outIf = place.interfaceOf(names.interfaces, c.out_if_name[row]!, c.out_if[row]!)
    // A sample taken at an output is of the bridge that owns the output port (ovs-facts 0.1).
    place.bridge = interfaces.bridge(egress ? place.outIf : place.inIf)
    if (place.bridge === 0 && place.host !== 0)
      place.findIpfixBridge(c.observation_domain[row]!, c.observation_point[row]!)
    this.findPorts(c, row)
    this.findDevices(c.in_if_name[row]!, egress ? c.out_if_name[row]! : 0)
    const name = egress ? c.out_if_name[row] : c.in_if_name[row]
    const evidence = name !== 0 ? EVIDENCE.if_name : EVIDENCE.if_index
    if (egress) {
      place.settleEgress(ends.destination)
      ends.egress(c, row, this.byDevice(place.outIf, place.outEndpoint, evidence))
    } else {
      place.settleIngress(c, row, ends.source)
      ends.ingress(c, row, this.byDevice(place.inIf, place.inEndpoint, evidence))
    }
    this.tellUnsure(row)
    this.finishIpfix(c, row, egress)
  }

  private finishIpfix(c: Columns, row: number, egress: boolean): void {
    const { place, ends, counting } = this
    if (egress) {
      counting.see(place.host, REPORTS.ipfix_egress)
      counting.egress(place, ends.src, ends.dst, REPORTS.ipfix_egress)
    } else {
      counting.see(place.host, REPORTS.ipfix_ingress)
      counting.ingress(place, ends.src, ends.dst, REPORTS.ipfix_ingress, SOURCE.ipfix)
    }
    if (c.export_protocol[row] === PROTOCOL.ipfix) finishSampling(c, row, this.ipfixRate(c, row, place.bridge))
  }

  private mirror(c: Columns, row: number): void {
    const { place, ends, counting, snapshot } = this
    const { interfaces } = snapshot
    const { src, dst } = ends
    if (place.host !== 0) place.findMirror(c.observation_point[row]!)
    const mirror = snapshot.mirrors[place.mirror]!
    const vlan = c.vlan[row]!
    // Without a tag (the mirror port is an access port itself) the frame is of the network of the port selected.
    ends.mirrored(c, row, (vlan === 0 ? 0 : place.vlanNetwork(vlan)) || interfaces.network(mirror.only))
    place.inIf = place.pluggedBy(src.endpoint)
    place.outIf = place.pluggedBy(dst.endpoint)
    const { only } = mirror
    if (only !== 0) {
      // What the one selected port did not send, it received, also when it was broadcast.
      const sends = place.inIf === only || !mirror.destination.has(only)
      if (sends) place.inIf = only
      else place.outIf = only
      ends.resolver.onMirror(sends ? src : dst, sends ? ends.source : ends.destination, interfaces.endpoint(only))
    }
    this.tellUnsure(row)
    counting.see(place.host, REPORTS.mirror_source | REPORTS.mirror_destination)
    counting.mirrored(place, src, dst, place.inIf, place.outIf)
  }

  private tellUnsure(row: number): void {
    if (this.onUnsure === undefined) return
    const { src, dst } = this.ends
    let ends = unsureBy(src.evidence, dst.evidence)
    if (this.portsToCome) {
      if (this.mayBeElse(src.endpoint, this.ends.source)) ends |= UNSURE.source
      if (this.mayBeElse(dst.endpoint, this.ends.destination)) ends |= UNSURE.destination
    }
    if (ends === 0) return
    this.repeatable = false
    this.onUnsure(this.batch!, row, ends, this.portOf(src.endpoint), this.portOf(dst.endpoint))
  }

  /**
   * OVSDB alone knows the port, or no network is known whose address it could be. Or it is a floating IP that leads nowhere yet, or outside
   * with an address that floating IPs are of: what it leads to may be newer than what Neutron was asked last.
   */
  private mayBeElse(endpoint: number, { a0, a1, a2, a3 }: Station): boolean {
    const { endpoints } = this.snapshot
    if (endpoint !== EXTERNAL) return endpoints.isProvisional(endpoint) || endpoints.kind(endpoint) === KIND.floating
    if (this.noNetworks) return true
    for (const range of this.floatingRanges) if (inCidr(range, a0, a1, a2, a3)) return true
    return false
  }

  /** Neutron port that an end certainly is, '' when there is none: beyond a router's port it may be another. */
  private portOf(endpoint: number): string {
    const { endpoints } = this.snapshot
    if (endpoints.isProvisional(endpoint) && !isStation(endpoints.kind(endpoint))) return ''
    return endpoints.text(endpoint, PORT_ID)
  }

  /** Whose ports the interfaces are; on a trunk the VLAN says which subport's. */
  private findPorts(c: Columns, row: number): void {
    const { place, snapshot } = this
    const { interfaces } = snapshot
    place.inEndpoint = interfaces.endpoint(place.inIf)
    place.outEndpoint = interfaces.endpoint(place.outIf)
    if (snapshot.tables.subports.size === 0) return
    place.inEndpoint = place.onTrunk(place.inEndpoint, c.vlan[row]!, this.ends.source)
    place.outEndpoint = place.onTrunk(place.outEndpoint, c.vlan[row]!, this.ends.destination)
  }

  /** Where OVSDB does not know the interfaces of a record, their names may carry the ports' ids. */
  private findDevices(inName: number, outName: number): void {
    const { place, names } = this
    if (place.inIf === 0 && inName !== 0) place.inEndpoint = names.interfaces.deviceEndpoint(inName)
    if (place.outIf === 0 && outName !== 0) place.outEndpoint = names.interfaces.deviceEndpoint(outName)
  }

  /** Evidence of a port at an interface: its device's name where OVSDB does not know the interface. */
  private byDevice(item: number, endpoint: number, evidence: number): number {
    return item === 0 && endpoint !== 0 ? EVIDENCE.device_name : evidence
  }

  /** Writes the names that the exporter told of a sample's interfaces into their columns. */
  private nameInterfaces(c: Columns, row: number, strings: StringTable): void {
    this.repeatable = false
    const atMs = getU64(c.flow_end, row)
    const name = (ifIndex: number) => strings.intern(this.learned.byIfIndex(c.exporter, row, ifIndex, atMs))
    if (c.in_if_name[row] === 0) c.in_if_name[row] = name(c.in_if[row]!)
    if (c.out_if_name[row] === 0 && c.output_kind[row] === OUTPUT.interface) c.out_if_name[row] = name(c.out_if[row]!)
  }

  /** NetFlow of a host without OVSDB that also sends counter samples, which tell what its OpenFlow ports are. */
  private findByToldOfport(c: Columns, row: number): void {
    const { names } = this
    this.repeatable = false
    if (c.in_if_name[row] === 0) {
      const name = this.learned.byOfport(c.exporter, row, c.in_if[row]!, getU64(c.flow_end, row))
      c.in_if_name[row] = names.strings.intern(name)
    }
    this.findDevices(c.in_if_name[row]!, 0)
    if (this.snapshot.tables.subports.size !== 0)
      this.place.inEndpoint = this.place.onTrunk(this.place.inEndpoint, c.vlan[row]!, this.ends.source)
  }

  /** Rate of the bridge's IPFIX; the configured one where the bridge is not known, or the record is of another sampler. */
  private ipfixRate(c: Columns, row: number, bridge: number): number {
    const rate = this.bridges.ipfixRate(bridge, c.observation_domain[row]!, c.observation_point[row]!)
    return rate >= 0 ? rate : this.otherRate(c, row)
  }

  private otherRate(c: Columns, row: number): number {
    return this.ipfixSampling !== 0 && isScaled(c, row) ? this.ipfixSampling : 0
  }

  /** Puts what was found for a row where its answer is made of. */
  private keep(c: Columns, row: number, i: number): void {
    const { place, counting, found } = this
    const { endpoints } = this.snapshot
    const { src, dst } = this.ends
    found.sources[i] = src.endpoint
    found.destinations[i] = dst.endpoint
    found.sourceHosts[i] = src.host === endpoints.host(src.endpoint) ? 0 : src.host
    found.destinationHosts[i] = dst.host === endpoints.host(dst.endpoint) ? 0 : dst.host
    found.hosts[i] = place.host
    found.bridges[i] = place.bridge
    found.inIfs[i] = place.inIf
    found.outIfs[i] = place.outIf !== 0 ? place.outIf : this.netflowOutput(c, row)
    found.sourceGrades[i] = src.grade
    found.destinationGrades[i] = dst.grade
    found.sourceEvidence[i] = src.evidence
    found.destinationEvidence[i] = dst.evidence
    found.sourceCandidates[i] = src.candidates
    found.destinationCandidates[i] = dst.candidates
    found.roles[i] = counting.role
    found.counts[i] = counting.counts
  }

  /**
   * NetFlow's output is a number on some bridge, perhaps another one, perhaps a mirror's (ovs-facts 1.3): it is named only
   * when it is the very port on this bridge where the destination is.
   */
  private netflowOutput(c: Columns, row: number): number {
    const { place, snapshot } = this
    if (c.export_protocol[row] !== PROTOCOL.netflow5 || c.output_kind[row] !== OUTPUT.interface) return 0
    const item = place.pluggedBy(this.ends.dst.endpoint)
    const { interfaces } = snapshot
    const same = interfaces.bridge(item) === place.bridge && interfaces.ofport(item) === c.out_if[row]
    return item !== 0 && same ? item : 0
  }
}
