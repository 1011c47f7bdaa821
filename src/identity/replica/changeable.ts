/**
 * The identity of a collector whose configuration may change while it runs: one LiveIdentity after another behind the same face. While
 * the next one begins the last snapshot of the one before stands, so no row is attributed by half a model.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IdentitySnapshot } from '../snapshot/snapshot.ts'
import type { CloudConfig } from '../sources/openstack/clouds.ts'
import { LiveIdentity, type LiveOptions, type LiveSurroundings } from './live.ts'
import type { Replica } from './replica.ts'

/** What others need of it; the same of one that never changes. */
export type Identity = Pick<
  LiveIdentity,
  'replica' | 'sources' | 'contradictions' | 'databases' | 'refused' | 'forgotten' | 'stop'
>

/** More than snapshots of one identity can be, so that versions never come again. */
const GENERATION = 2 ** 32

export class ChangeableIdentity implements Identity {
  private live: LiveIdentity
  private options: LiveOptions
  private readonly around: LiveSurroundings
  /** Of all that the sources are made of, the content of files too. */
  private stamp: string
  private generation = 0
  private forgottenBefore = 0

  private constructor(live: LiveIdentity, options: LiveOptions, around: LiveSurroundings, stamp: string) {
    this.live = live
    this.options = options
    this.around = around
    this.stamp = stamp
  }

  /** Errors: those of `LiveIdentity.start`. */
  static async start(options: LiveOptions, around: LiveSurroundings): Promise<ChangeableIdentity> {
    const stamp = await stampOf(options, around)
    return new ChangeableIdentity(await LiveIdentity.start(options, around), options, around, stamp)
  }

  get replica(): Replica {
    return this.live.replica
  }

  get sources(): LiveIdentity['sources'] {
    return this.live.sources
  }

  get contradictions(): LiveIdentity['contradictions'] {
    return this.live.contradictions
  }

  get refused(): LiveIdentity['refused'] {
    return this.live.refused
  }

  get forgotten(): number {
    return this.forgottenBefore + this.live.forgotten
  }

  /** Another number whenever another model is in force. */
  get version(): number {
    return this.generation * GENERATION + this.live.replica.published
  }

  databases(): ReturnType<LiveIdentity['databases']> {
    return this.live.databases()
  }

  stop(): Promise<void> {
    return this.live.stop()
  }

  /**
   * Looks whether other sources could begin, as far as that can be said without them. Errors: identity_invalid, file_unreadable,
   * config_invalid.
   */
  async check(options: LiveOptions): Promise<void> {
    if (options.identity !== null) {
      const { loadIdentityFile } = await import('../sources/file.ts')
      await loadIdentityFile(options.identity, { askServers: false })
    }
    if (options.os_cloud !== null) await cloudOf(options.os_cloud, this.around)
  }

  /**
   * Goes on with other sources, or with the same ones whose files have changed; does nothing when nothing has. When the new ones cannot
   * begin, the old ones are begun again and the error is thrown. True when there are new ones.
   */
  async change(options: LiveOptions): Promise<boolean> {
    const stamp = await stampOf(options, this.around)
    if (stamp === this.stamp) {
      await this.live.readFile(true)
      return false
    }
    const before = this.live
    // Ports and connections of the one are those of the other; its last snapshot stands.
    await before.stop()
    try {
      await this.begin(options)
      this.options = options
      this.stamp = stamp
      return true
    } catch (error) {
      await this.begin(this.options)
      throw error
    }
  }

  private async begin(options: LiveOptions): Promise<void> {
    let begun = false
    const onSnapshot = (snapshot: IdentitySnapshot) => {
      if (begun) this.around.onSnapshot(snapshot)
    }
    const next = await LiveIdentity.start(options, { ...this.around, onSnapshot })
    begun = true
    this.forgottenBefore += this.live.forgotten
    this.live = next
    this.generation++
    this.around.onSnapshot(next.replica.snapshot)
  }
}

async function cloudOf(name: string, around: LiveSurroundings): Promise<CloudConfig> {
  const { loadCloud } = await import('../sources/openstack/clouds.ts')
  return loadCloud(name, around)
}

/** Only kept in memory: passwords go into it. */
async function stampOf(options: LiveOptions, around: LiveSurroundings): Promise<string> {
  const { identity, os_cloud, ovsdb, ovsdb_listen, ovn_southbound, ovsdb_key, ovsdb_cert, ovsdb_ca } = options
  const { openstack_poll, openstack_full, identity_grace, ovsdb_forget, max_calling_hosts } = options
  const cloud = os_cloud === null ? null : await cloudOf(os_cloud, around)
  const pems = [ovsdb_key, ovsdb_cert, ovsdb_ca].map((path) => (path === null ? '' : readFileSync(path, 'utf8')))
  const all = [identity, ovsdb, ovsdb_listen, ovn_southbound, ovsdb_key, ovsdb_cert, ovsdb_ca, openstack_poll, openstack_full, identity_grace, ovsdb_forget, max_calling_hosts, cloud, pems] // prettier-ignore
  return createHash('sha256').update(JSON.stringify(all)).digest('hex')
}
