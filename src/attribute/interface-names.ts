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

export class InterfaceNames {
  private readonly snapshot: IdentitySnapshot
  private readonly strings: StringTable
  /** host, code, interface + 1 (0 = free), endpoint of the device. */
  private slots = new Int32Array(FIRST_SLOTS << STRIDE_BITS)
  private mask = FIRST_SLOTS - 1
  private used = 0

  constructor(snapshot: IdentitySnapshot, strings: StringTable) {
    this.snapshot = snapshot
    this.strings = strings
  }

  /** Interface of that name on the host, 0 when there is none. */
  find(host: number, code: number): number {
    // In this order: finding may make room.
    const at = this.slotOf(host, code)
    return this.slots[at + 2]! - 1
  }

  /** Endpoint of the port whose id the name carries, 0 when it carries none: for hosts whose OVSDB is not known. */
  deviceEndpoint(host: number, code: number): number {
    const at = this.slotOf(host, code)
    return this.slots[at + 3]!
  }

  private slotOf(host: number, code: number): number {
    const { slots, mask } = this
    for (let slot = hash(host, code) & mask; ; slot = (slot + 1) & mask) {
      const at = slot << STRIDE_BITS
      if (slots[at + 2] === 0) return this.learn(host, code)
      if (slots[at] === host && slots[at + 1] === code) return at
    }
  }

  private learn(host: number, code: number): number {
    if ((this.used + 1) * 2 > this.mask + 1) this.makeRoom()
    const name = this.strings.values[code] ?? ''
    this.used++
    return this.put(host, code, this.snapshot.interfaceNamed(host, name) + 1, this.snapshot.endpointOfDevice(name))
  }

  private put(host: number, code: number, item: number, endpoint: number): number {
    let slot = hash(host, code) & this.mask
    while (this.slots[(slot << STRIDE_BITS) + 2] !== 0) slot = (slot + 1) & this.mask
    const at = slot << STRIDE_BITS
    this.slots[at] = host
    this.slots[at + 1] = code
    this.slots[at + 2] = item
    this.slots[at + 3] = endpoint
    return at
  }

  private makeRoom(): void {
    const old = this.slots
    if (this.mask + 1 >= MOST_SLOTS) {
      old.fill(0)
      this.used = 0
      return
    }
    this.slots = new Int32Array(old.length * 2)
    this.mask = this.mask * 2 + 1
    for (let at = 0; at < old.length; at += 1 << STRIDE_BITS)
      if (old[at + 2] !== 0) this.put(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!)
  }
}

function hash(host: number, code: number): number {
  const mixed = Math.imul(host, 0x9e3779b1) ^ Math.imul(code, 0x85ebca77)
  return mixed ^ (mixed >>> 15)
}
