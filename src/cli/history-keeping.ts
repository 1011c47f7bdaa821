/** What a collector does to write down who was what: the states of the model as rows, how long they are kept, the dictionary of names. */
import type { Config } from '../config/options.ts'
import { AppError } from '../errors.ts'
import { HistoryKeeper } from '../history/keeper.ts'
import { forgetHistory } from '../history/retention.ts'
import type { ChangeableIdentity } from '../identity/replica/changeable.ts'
import { IDENTITY_DICTIONARY, identityDictionary } from '../schema/identity-tables.ts'
import type { RowBlock } from '../schema/rows.ts'
import { ChdbStore } from '../store/chdb.ts'
import { type Store, targetOf } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'
import type { Readers } from '../telemetry/metrics.ts'

/** Sources that tell of projects, networks, servers and ports. */
const TELLING: ReadonlySet<string> = new Set(['file', 'openstack', 'ovn'])

const FORGET_MS = 3_600_000

export class HistoryKeeping {
  readonly readers: Readers

  private readonly store: Store
  /** May be replaced at any time. */
  config: Config
  private readonly log: Logger
  private readonly keeper: HistoryKeeper
  private reloaded = 0
  private warned = ''
  private forgetAtMs = 0

  constructor(
    store: Store,
    identity: ChangeableIdentity,
    config: Config,
    log: Logger,
    onBlock: (block: RowBlock) => void,
  ) {
    this.store = store
    this.config = config
    this.log = log
    this.keeper = new HistoryKeeper({
      store,
      model: () => identity.replica.sections,
      version: () => identity.version,
      whole: () => {
        const telling = identity.sources.filter(({ kind }) => TELLING.has(kind))
        return telling.length > 0 && telling.every(({ freshAtMs }) => freshAtMs > 0)
      },
      sinceOf: (id) => identity.replica.ledger.since.get(id),
      onBlock,
      onFault: (error) => this.warn(error, 'who was what is not written down'),
    })
    this.readers = {
      ovsight_identity_history_states: () => [[this.keeper.size]],
      ovsight_identity_history_rows_total: () => [[this.keeper.rows]],
    }
  }

  /** Makes the dictionary of names. Rows are written whether or not that works. */
  async begin(): Promise<void> {
    try {
      await this.store.run(identityDictionary(targetOf(this.store)))
    } catch (error) {
      this.fault(error, 'the identity history lacks its dictionary (ovsight store grants tells the rights)')
    }
  }

  /** To be called every few seconds. */
  async tick(nowMs: number): Promise<void> {
    const { rows } = this.keeper
    await this.keeper.tick(nowMs)
    await this.forget(nowMs)
    // A server reads its dictionaries again by itself; the embedded engine does not. Rows of the last call are stored by now.
    if (rows === this.reloaded || !(this.store instanceof ChdbStore)) return
    try {
      await this.store.run(`SYSTEM RELOAD DICTIONARY ${this.store.database}.${IDENTITY_DICTIONARY}`)
      this.reloaded = rows
    } catch (error) {
      this.fault(error, 'the dictionary of names is not up to date')
    }
  }

  private async forget(nowMs: number): Promise<void> {
    const { keep_identity: keepMs } = this.config
    if (keepMs === 0 || nowMs < this.forgetAtMs) return
    this.forgetAtMs = nowMs + FORGET_MS
    try {
      await forgetHistory(this.store, nowMs - keepMs)
    } catch (error) {
      this.fault(error, 'states that ended long ago stay in the identity history')
    }
  }

  stop(): void {
    this.keeper.stop()
  }

  private fault(error: unknown, what: string): void {
    if (!(error instanceof AppError)) throw error
    this.warn(error, what)
  }

  /** Once a reason: it is tried again and again. */
  private warn({ code, message }: AppError, what: string): void {
    if (this.warned === message) return
    this.warned = message
    this.log.warn({ code }, `${what}: ${message}`)
  }
}
