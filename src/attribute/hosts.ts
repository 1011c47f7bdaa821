/** Facts of hosts that the common case needs, as columns: an object a host would be a cache miss each. */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import type { Host } from '../identity/snapshot/vantage.ts'

export class Hosts {
  /** The one bridge that may have exported a host's NetFlow with plain port numbers; 0 when it is another case. */
  netflowBridge = new Int32Array(0)
  private hosts: readonly Host[] = []

  use(snapshot: IdentitySnapshot): void {
    if (snapshot.hosts === this.hosts) return
    this.hosts = snapshot.hosts
    this.netflowBridge = Int32Array.from(snapshot.hosts, (host) => {
      const [only, ...more] = host.netflowBridges
      return only === undefined || more.length > 0 || snapshot.bridges[only]!.netflow?.addId === true ? 0 : only
    })
  }
}
