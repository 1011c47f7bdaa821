/**
 * (host, code of an interface name) → interface, kept per string table, so that a name is looked at as a string only once.
 * Bounded: when it is full it starts over.
 */
import type { StringTable } from '../schema/strings.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'

const SLOTS = 1 << 16
const MASK = SLOTS - 1
const MOST = SLOTS / 2

export class InterfaceNames {
  private readonly snapshot: IdentitySnapshot
  private readonly strings: StringTable
  /** host, code, interface + 1; 0 = free. */
  private readonly slots = new Int32Array(SLOTS * 3)
  private readonly devices = new Map<number, number>()
  private used = 0

  constructor(snapshot: IdentitySnapshot, strings: StringTable) {
    this.snapshot = snapshot
    this.strings = strings
  }

  /** Interface of that name on the host, 0 when there is none. */
  find(host: number, code: number): number {
    const { slots } = this
    let slot = (Math.imul(host, 0x9e3779b1) ^ Math.imul(code, 0x85ebca6b)) >>> 16
    for (; ; slot = (slot + 1) & MASK) {
      const at = slot * 3
      if (slots[at + 2] === 0) break
      if (slots[at] === host && slots[at + 1] === code) return slots[at + 2]! - 1
    }
    return this.learn(host, code)
  }

  /** Endpoint of the port whose id the name carries, on hosts whose OVSDB is not known. */
  deviceEndpoint(code: number): number {
    let endpoint = this.devices.get(code)
    if (endpoint === undefined) {
      endpoint = this.snapshot.endpointOfDevice(this.strings.values[code] ?? '')
      if (this.devices.size >= MOST) this.devices.clear()
      this.devices.set(code, endpoint)
    }
    return endpoint
  }

  private learn(host: number, code: number): number {
    const found = this.snapshot.interfaceNamed(host, this.strings.values[code] ?? '')
    if (this.used >= MOST) {
      this.slots.fill(0)
      this.used = 0
    }
    let slot = (Math.imul(host, 0x9e3779b1) ^ Math.imul(code, 0x85ebca6b)) >>> 16
    while (this.slots[slot * 3 + 2] !== 0) slot = (slot + 1) & MASK
    this.slots[slot * 3] = host
    this.slots[slot * 3 + 1] = code
    this.slots[slot * 3 + 2] = found + 1
    this.used++
    return found
  }
}
