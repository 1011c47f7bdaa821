/**
 * How fast rows are attributed, and how fast a cloud becomes a snapshot. What is timed is `answer`, as in a collector: rows get the numbers
 * of their answers. That the answers are right is looked at in columns, which `attribute` writes out.
 */
import assert from 'node:assert/strict'
import { Attributor } from '../src/attribute/attributor.ts'
import { parseIp, parseMac } from '../src/identity/addresses.ts'
import { buildSnapshot } from '../src/identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../src/identity/snapshot/snapshot.ts'
import { FlowBatch, setTime, setU64 } from '../src/schema/batch.ts'
import { enumCodes } from '../src/schema/enums.ts'
import { StringTable } from '../src/schema/strings.ts'
import { hostAddress, syntheticCloud, syntheticPort, type CloudSize, type SyntheticPort } from './cloud.ts'
import { measure, type Bench, type Figure } from './figure.ts'

const PROTOCOL = enumCodes('export_protocol')
const DIRECTION = enumCodes('flow_direction')
const GRADE = enumCodes('grade')
const ROLE = enumCodes('role')

/** What one core has to reach: docs/design.md. */
const TARGET = 3
/** Records of one host that come together; OVS packs up to 30 NetFlow records, and one IPFIX record a datagram. */
const RUN = 16
const ROWS = 16_448
/** A collector's pipeline gives answers up when there are more. */
const MAX_ANSWERS = 1 << 17

/** Which pairs talk. */
type Pairs = 'again' | 'runs' | 'skewed' | 'random'
type Rows = 'ipfix' | 'netflow5' | 'mixed'
const WHAT: Readonly<Record<Rows, string>> = {
  ipfix: 'ipfix',
  netflow5: 'netflow5',
  mixed: 'ipfix, 7/16 egress and 1/8 routed',
}

interface Draw {
  /** What stands beside a figure's name. */
  name: string
  note: string
  /** Records of one host that come together. */
  run: number
  /** Batches that take turns, so that a row comes again after so many times ROWS. */
  batches: number
}

/** Exporters send their records together, and tell of a flow again each active timeout; traffic is skewed. Random is the worst case. */
const DRAWS: Readonly<Record<Pairs, Draw>> = {
  again: { name: '', note: 'every row another pair of ports, which come again', run: RUN, batches: 4 },
  runs: { name: ', no pair again', note: 'every row another pair of ports', run: RUN, batches: 16 },
  skewed: { name: ', skewed', note: 'hosts and ports by Zipf’s law (exponent 1)', run: RUN, batches: 16 },
  random: { name: ', all at random', note: 'host, port and peer at random, no order', run: 1, batches: 16 },
}

const SMALL: CloudSize = { hosts: 50, ports: 20, networks: 25 }
export const LARGE: CloudSize = { hosts: 10_000, ports: 20, networks: 5_000 }

export const benchAttribute: Bench = async () => {
  const figures: Figure[] = []
  for (const [label, size] of [
    ['1,000 ports', SMALL],
    ['200,000 ports', LARGE],
  ] as const) {
    const { snapshot, seconds } = build(size)
    for (const rows of ['ipfix', 'netflow5', 'mixed'] as const)
      figures.push(attribution(rows, size, label, snapshot, 'again'))
    for (const pairs of ['runs', 'skewed', 'random'] as const)
      for (const rows of ['ipfix', 'netflow5'] as const)
        if (size === LARGE) figures.push(attribution(rows, size, label, snapshot, pairs))
    if (size === LARGE)
      figures.push({
        name: `snapshot of ${label} on 10,000 hosts`,
        value: seconds,
        unit: 's',
        target: 10,
        atMost: true,
      })
  }
  return figures
}

export function attribution(
  rows: Rows,
  size: CloudSize,
  label: string,
  snapshot: IdentitySnapshot,
  pairs: Pairs,
): Figure {
  const { name, note, run } = DRAWS[pairs]
  const attributor = new Attributor()
  const work = batchesOf(rows, size, pairs).map((batch) => attributing(batch, snapshot, attributor, rows === 'mixed'))
  const { straightRows, repeatedRows } = attributor
  let calls = 0
  const perS = measure(ROWS, () => work[calls++ % work.length]!())
  const percent = (count: number) => Math.round((count * 100) / (calls * ROWS))
  return {
    name: `answer ${WHAT[rows]}, both ends, cloud of ${label}${name}`,
    value: perS / 1e6,
    unit: 'M rows/s',
    // What is routed or seen on a tunnel takes the general code; it is told, and has no figure to reach.
    ...(rows === 'mixed' ? {} : { target: TARGET }),
    note:
      `runs of ${run} rows of one host, ${note}; ` +
      `${percent(attributor.repeatedRows - repeatedRows)} % known again, ${percent(attributor.straightRows - straightRows)} % the common case`,
  }
}

/** A snapshot, and how long it took; the model it came from is not kept. */
function build(size: CloudSize): { snapshot: IdentitySnapshot; seconds: number } {
  const cloud = syntheticCloud(size)
  const start = performance.now()
  const snapshot = buildSnapshot(cloud, 0)
  return { snapshot, seconds: (performance.now() - start) / 1000 }
}

/** The work of one call; first it is made sure that the ends come out right. */
export function attributing(
  batch: FlowBatch,
  snapshot: IdentitySnapshot,
  attributor = new Attributor(),
  mixed = false,
): () => void {
  attributor.attribute(batch, snapshot)
  const { columns: c, strings, answers } = batch
  for (let row = 0; row < (mixed ? 0 : batch.rows); row++) {
    assert.equal(c.src_grade[row], GRADE.port)
    assert.equal(strings.values[c.src_project[row]!], strings.values[c.dst_project[row]!])
    assert.ok(c.counts_sent[row] === 1 || c.role[row] === ROLE.duplicate)
  }
  return () => {
    if (answers.count > MAX_ANSWERS) answers.clear()
    attributor.answer(batch, snapshot)
  }
}

/** Batches with rows of that sort, which take turns as a collector's do. */
export function batchesOf(rows: Rows, size: CloudSize, pairs: Pairs): FlowBatch[] {
  const batches = FlowBatch.several(rows === 'mixed' ? 1 : DRAWS[pairs].batches, ROWS, new StringTable(1 << 19))
  for (const [part, batch] of batches.entries()) fill(batch, rows, size, part, pairs)
  return batches
}

/** A batch of its own with rows of that sort, which come again. */
export function batchOf(rows: Rows, size: CloudSize): FlowBatch {
  const batch = new FlowBatch(ROWS)
  fill(batch, rows, size, 0, 'again')
  return batch
}

/** Which port sends, and how many ports further on in its network the other end is. */
function* pairsOf(
  pairs: Pairs,
  part: number,
  { hosts, ports, networks }: CloudSize,
): Generator<[n: number, away: number]> {
  const random = numbers(part + 1)
  const below = (count: number) => Math.floor(random() * count)
  const others = (hosts * ports) / networks - 1
  const { run } = DRAWS[pairs]
  let host = 0
  for (let row = 0; ; row++) {
    if (row % run === 0)
      host =
        pairs === 'skewed'
          ? (zipf(random(), hosts) * 7919) % hosts
          : pairs === 'again'
            ? ((row / run + part * 997) * 7919) % hosts
            : below(hosts)
    if (pairs === 'again') yield [host + hosts * ((row * 31) % ports), 1 + ((row * 13) % 5)]
    else if (pairs === 'skewed') yield [host + hosts * zipf(random(), ports), 1 + zipf(random(), others)]
    else yield [host + hosts * below(ports), 1 + below(others)]
  }
}

/** Fills a batch with rows of VMs sending to others of their network; `part` gives other hosts and ports. */
function fill(batch: FlowBatch, rows: Rows, size: CloudSize, part: number, pairs: Pairs): void {
  const protocol = rows === 'netflow5' ? 'netflow5' : 'ipfix'
  const { columns: c, strings } = batch
  const total = size.hosts * size.ports
  const drawn = pairsOf(pairs, part, size)
  for (let row = 0; row < ROWS; row++) {
    const [n, away] = drawn.next().value as [number, number]
    const from = syntheticPort(n, size)
    const { host } = from
    const to = syntheticPort((n + size.networks * away) % total, size)
    c.export_protocol[row] = PROTOCOL[protocol]
    c.exporter.set(parseIp(hostAddress(host))!, row * 4)
    c.observation_domain[row] = protocol === 'ipfix' ? host : 0
    c.src_addr.set(parseIp(from.address)!, row * 4)
    c.dst_addr.set(parseIp(to.address)!, row * 4)
    c.flow_direction[row] = DIRECTION.ingress
    setTime(c.flow_end, row, 1_700_000_000_000 + row)
    setU64(c.packets, row, 400)
    setU64(c.bytes, row, 400_000)
    setU64(c.l2_bytes, row, 405_600)
    if (protocol === 'netflow5') {
      c.in_if[row] = from.ofport
      continue
    }
    c.in_if[row] = 100 + from.ofport
    c.in_if_name[row] = strings.intern(from.device)
    setMac(c.src_mac, row, from.mac)
    setMac(c.dst_mac, row, to.mac)
    if (rows === 'mixed') mix(batch, row, from)
  }
  batch.rows = ROWS
}

/** One of 0 … count − 1, the k-th about 1/k as often as the first. `random` is from 0 to 1. */
function zipf(random: number, count: number): number {
  return Math.min(count, Math.floor((count + 1) ** random)) - 1
}

/** The same numbers on each run, from 0 to 1. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Every second row is seen where it leaves, come by the tunnel bridge; every eighth goes to an address of nobody. */
function mix({ columns: c, strings }: FlowBatch, row: number, from: SyntheticPort): void {
  if (row % 8 === 0) {
    c.dst_addr.set(parseIp('203.0.113.9')!, row * 4)
    setMac(c.dst_mac, row, 'fa:16:3e:ff:00:01')
  } else if (row % 2 === 0) {
    const swap = (a: Uint32Array, b: Uint32Array, lanes: number) => {
      const kept = a.slice(row * lanes, (row + 1) * lanes)
      a.set(b.subarray(row * lanes, (row + 1) * lanes), row * lanes)
      b.set(kept, row * lanes)
    }
    swap(c.src_addr, c.dst_addr, 4)
    swap(c.src_mac, c.dst_mac, 2)
    c.flow_direction[row] = DIRECTION.egress
    c.in_if_name[row] = strings.intern('patch-tun')
    c.in_if[row] = 0
    c.out_if_name[row] = strings.intern(from.device)
    c.out_if[row] = 100 + from.ofport
  }
}

function setMac(column: Uint32Array, row: number, text: string): void {
  const mac = parseMac(text)!
  column[row * 2] = mac.low
  column[row * 2 + 1] = mac.high
}
