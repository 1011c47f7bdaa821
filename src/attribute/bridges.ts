/** Facts of bridges that every record needs, as columns: an object a bridge would be a cache miss each. */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { Bridge } from '../identity/snapshot/vantage.ts'

export class Bridges {
  /** 1 for those of the userspace datapath, whose NetFlow counts tunnel headers. */
  userspace = new Uint8Array(0)
  private domains = new Float64Array(0)
  private points = new Float64Array(0)
  private rates = new Float64Array(0)
  private bridges: readonly Bridge[] = []

  use(snapshot: IdentitySnapshot): void {
    const { bridges } = snapshot
    if (bridges === this.bridges) return
    this.bridges = bridges
    this.userspace = Uint8Array.from(bridges, (bridge) => (bridge.userspace ? 1 : 0))
    // No observation domain is −1, so that what is not configured agrees with none.
    this.domains = Float64Array.from(bridges, ({ ipfix }) => ipfix?.domain ?? -1)
    this.points = Float64Array.from(bridges, ({ ipfix }) => ipfix?.point ?? -1)
    this.rates = Float64Array.from(bridges, ({ ipfix }) => ipfix?.rate ?? 0)
  }

  /** Rate of a bridge's IPFIX where the record is of its sampler; −1 where the bridge is not known, or it is of another. */
  ipfixRate(bridge: number, domain: number, point: number): number {
    return this.domains[bridge] === domain && this.points[bridge] === point ? this.rates[bridge]! : -1
  }
}
