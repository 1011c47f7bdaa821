/** What commands that write share: the store, the identity, and a pipeline between them. */
import type { AttributorOptions } from '../attribute/attributor.ts'
import type { LearnedNames } from '../attribute/learned.ts'
import type { OnUnsure } from '../attribute/unsure.ts'
import type { Config } from '../config/options.ts'
import { homedir } from 'node:os'
import { ChangeableIdentity } from '../identity/replica/changeable.ts'
import { EMPTY_SNAPSHOT, buildSnapshot } from '../identity/snapshot/build.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { expectsPorts } from '../late/unsure-rows.ts'
import { attributorBy } from '../pipeline/attributor-by.ts'
import type { FlowBatch } from '../schema/batch.ts'
import { FLOWS } from '../schema/ddl.ts'
import type { NativeBlock } from '../schema/native.ts'
import type { Block } from '../store/store.ts'
import type { Logger } from '../telemetry/log.ts'

export { logOf } from './log.ts'
export { openMigrated } from './open-store.ts'

/** The identity that the configuration names; the empty one, which attributes nothing, when it names none. */
export async function loadIdentity(config: Config, log: Logger): Promise<IdentitySnapshot> {
  if (config.identity === null) return EMPTY_SNAPSHOT
  const { loadIdentityFile } = await import('../identity/sources/file.ts')
  const { cloud, warnings } = await loadIdentityFile(config.identity)
  for (const warning of warnings) log.warn(warning)
  return buildSnapshot(cloud, Date.now())
}

/** Every source of identity that the configuration names, kept current. Errors: those of `LiveIdentity.start`. */
export function openIdentity(
  config: Config,
  log: Logger,
  onSnapshot: (snapshot: IdentitySnapshot) => void = () => {},
): Promise<ChangeableIdentity> {
  return ChangeableIdentity.start(config, {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    onSnapshot,
    log: { info: (text) => log.info(text), warn: (text) => log.warn(text) },
  })
}

/** Answers batches by the snapshot of the moment, and by the names that exporters told. */
export function attributeBy(
  config: Config,
  snapshot: () => IdentitySnapshot,
  more: AttributorOptions = {},
): (batch: FlowBatch) => void {
  const attributor = attributorBy(config, more)
  return (batch) => attributor.answer(batch, snapshot())
}

/** Attribution of rows that waited. What others hear of hosts without OVSDB it is to be told, since it sees few rows itself. */
export function attributeLate(config: Config, snapshot: () => IdentitySnapshot, names: LearnedNames) {
  let told: OnUnsure = () => {}
  const attributor = attributorBy(config, { names, onUnsure: (...row) => told(...row) })
  return {
    attribute: (batch: FlowBatch, onUnsure: OnUnsure) => {
      told = onUnsure
      attributor.attribute(batch, snapshot())
    },
    heard: (host: string, reports: number) => attributor.heard(host, reports),
    change: (next: Config) => void (attributor.portsToCome = expectsPorts(next)),
  }
}

/** A sealed batch as a block of the flow table. */
export function flowBlock(block: NativeBlock, token: string): Block {
  return { table: FLOWS, ...block, token }
}
