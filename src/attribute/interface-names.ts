/**
 * (host, code of an interface name) → interface, kept per string table, so that a name is looked at as a string only once.
 * It grows with the names that are seen and is bounded: when it is full it starts over.
 */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { StringTable } from '../schema/strings.ts'

const FIRST_SLOTS = 1 << 12
/** Half of them are used at most: 256 k names, 8 MB. */
const MOST_SLOTS = 1 << 19
const STRIDE_BITS = 2
/** Bits of a key word that number the host; those above say how often its interfaces have changed. */
const HOST_BITS = 20
const CHANGES = 1 << (31 - HOST_BITS)
const NOT_ASKED = -1

export class InterfaceNames {
  private snapshot: IdentitySnapshot
  private readonly strings: StringTable
  /** Host and changes, code, interface + 1 (0 = free), nothing. */
  private slots = new Int32Array(FIRST_SLOTS << STRIDE_BITS)
  private mask = FIRST_SLOTS - 1
  private used = 0
  /** Changes of each host's interfaces; what was kept before one is not found any more. */
  private changes: Uint16Array
  private hostsSeen: number
  /** By code of a name: endpoint of the port whose id it carries, NOT_ASKED when that is to be found out. */
  private devices = new Int32Array(0)
  private portsSeen: number

  constructor(snapshot: IdentitySnapshot, strings: StringTable) {
    this.snapshot = snapshot
    this.strings = strings
    this.changes = new Uint16Array(snapshot.hosts.length)
    this.hostsSeen = snapshot.edited.hosts.length
    this.portsSeen = snapshot.edited.ports
  }

  /** Goes on with a later snapshot of the same layout. */
  use(snapshot: IdentitySnapshot): void {
    this.snapshot = snapshot
    const { edited, hosts } = snapshot
    if (hosts.length > this.changes.length) {
      const { changes } = this
      this.changes = new Uint16Array(hosts.length + (hosts.length >> 3))
      this.changes.set(changes)
    }
    for (; this.hostsSeen < edited.hosts.length; this.hostsSeen++) this.change(edited.hosts[this.hostsSeen]!)
    if (this.portsSeen === edited.ports) return
    this.portsSeen = edited.ports
    this.devices.fill(NOT_ASKED)
  }

  /** Interface of that name on the host, 0 when there is none. */
  find(host: number, code: number): number {
    const key = host | (this.changes[host]! << HOST_BITS)
    // In this order: finding may make room.
    const at = this.slotOf(key, code)
    return this.slots[at + 2]! - 1
  }

  /** Reads where that is to be found, for the cache's sake. */
  touch(host: number, code: number): number {
    return this.slots[(hash(host | (this.changes[host]! << HOST_BITS), code) & this.mask) << STRIDE_BITS]!
  }

  /** Endpoint of the port whose id the name carries, 0 when it carries none: for hosts whose OVSDB is not known. */
  deviceEndpoint(code: number): number {
    if (code >= this.devices.length) {
      const old = this.devices
      this.devices = new Int32Array(Math.max(FIRST_SLOTS, this.strings.size * 2)).fill(NOT_ASKED)
      this.devices.set(old)
    }
    const known = this.devices[code]!
    if (known !== NOT_ASKED) return known
    return (this.devices[code] = this.snapshot.endpointOfDevice(this.strings.values[code] ?? ''))
  }

  private change(host: number): void {
    this.changes[host]!++
    if (this.changes[host] === CHANGES) {
      this.clear()
      this.changes[host] = 0
    }
  }

  private slotOf(key: number, code: number): number {
    const { slots, mask } = this
    for (let slot = hash(key, code) & mask; ; slot = (slot + 1) & mask) {
      const at = slot << STRIDE_BITS
      if (slots[at + 2] === 0) return this.learn(key, code)
      if (slots[at] === key && slots[at + 1] === code) return at
    }
  }

  private learn(key: number, code: number): number {
    if ((this.used + 1) * 2 > this.mask + 1) this.makeRoom()
    this.used++
    const host = key & ((1 << HOST_BITS) - 1)
    return this.put(key, code, this.snapshot.interfaceNamed(host, this.strings.values[code] ?? '') + 1)
  }

  private put(key: number, code: number, item: number): number {
    let slot = hash(key, code) & this.mask
    while (this.slots[(slot << STRIDE_BITS) + 2] !== 0) slot = (slot + 1) & this.mask
    const at = slot << STRIDE_BITS
    this.slots[at] = key
    this.slots[at + 1] = code
    this.slots[at + 2] = item
    return at
  }

  private makeRoom(): void {
    if (this.mask + 1 >= MOST_SLOTS) {
      this.clear()
      return
    }
    const old = this.slots
    this.slots = new Int32Array(old.length * 2)
    this.mask = this.mask * 2 + 1
    for (let at = 0; at < old.length; at += 1 << STRIDE_BITS)
      if (old[at + 2] !== 0) this.put(old[at]!, old[at + 1]!, old[at + 2]!)
  }

  private clear(): void {
    this.slots.fill(0)
    this.used = 0
  }
}

function hash(key: number, code: number): number {
  const mixed = Math.imul(key, 0x9e3779b1) ^ Math.imul(code, 0x85ebca77)
  return mixed ^ (mixed >>> 15)
}
