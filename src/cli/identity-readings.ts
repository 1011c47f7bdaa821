/** How the model of a running collector stands: for the metrics and for `identity status`. */
import type { IdentityApi } from '../api/identity.ts'
import { RESOLVE_OPTIONS, resolveRecord, type ResolveOptions } from './identity-resolve.ts'
import { describeGently } from '../identity/describe.ts'
import type { Identity } from '../identity/replica/changeable.ts'
import type { SourceReport } from '../identity/replica/live.ts'
import { SOURCE_KINDS } from '../identity/replica/source.ts'
import type { LateTruth } from '../late/late-truth.ts'
import type { Readers, Sample } from '../telemetry/metrics.ts'
import { parseShown } from './identity-kinds.ts'

/** Sources with figures of their own: a cloud has one a host. */
const STALEST = 100

export function identityReaders(identity: Identity): Readers {
  const byKind = (value: (sources: SourceReport[]) => number | undefined) => () => {
    const { sources } = identity
    return SOURCE_KINDS.flatMap((kind): Sample[] => {
      const own = sources.filter((source) => source.kind === kind)
      const read = own.length === 0 ? undefined : value(own)
      return read === undefined ? [] : [[read, kind]]
    })
  }
  return {
    ovsight_identity_sources: () => identity.sources.map(({ kind, ok }): Sample => [1, kind, ok ? 'ok' : 'fault']),
    ovsight_identity_age_seconds: byKind((sources) => {
      const ages = sources.map(({ ageMs }) => ageMs)
      return ages.some((age) => age === null) ? undefined : Math.max(...(ages as number[])) / 1e3
    }),
    ovsight_identity_source_age_seconds: () =>
      identity.sources
        .map(({ kind, target, ageMs }): Sample => [ageMs === null ? process.uptime() : ageMs / 1e3, kind, target])
        .sort(([a], [b]) => b - a)
        .slice(0, STALEST),
    ovsight_identity_faults_total: byKind((sources) => sources.reduce((sum, { faults }) => sum + faults, 0)),
    ovsight_identity_entries: () =>
      Object.entries(identity.replica.counts).map(([section, count]): Sample => [count, section]),
    ovsight_identity_contradictions: () =>
      Object.entries(identity.contradictions).map(([sort, count]): Sample => [count, sort]),
    ovsight_identity_calls_refused_total: () => [
      [identity.refused.connections, 'connections'],
      [identity.refused.hosts, 'hosts'],
    ],
    ovsight_identity_hosts_forgotten_total: () => [[identity.forgotten]],
    ovsight_identity_past: () => [[identity.replica.ledger.size]],
    ovsight_identity_snapshots_total: () => [[identity.replica.published]],
    ovsight_identity_publish_seconds: () => [[identity.replica.lastPublishMs / 1e3]],
  }
}

/** Rows that wait for the model to know more. */
export function lateReaders(late: LateTruth | undefined): Readers {
  return {
    ovsight_late_rows: () => [[late?.waiting ?? 0]],
    ovsight_late_resolved_total: () => [[late?.counters.resolved ?? 0]],
    ovsight_late_expired_total: () => [[late?.counters.expired ?? 0]],
    ovsight_late_overflow_total: () => [[late?.counters.overflow ?? 0]],
  }
}

/** What the API tells of a running collector's model. */
export function identityApi(identity: Identity): IdentityApi {
  return {
    resolve: (asked) => {
      const options = Object.entries(RESOLVE_OPTIONS).flatMap(([option, name]) => {
        const value = asked[name]
        return value === undefined ? [] : [[option, value]]
      })
      const { hosts, snapshot } = identity.replica
      return resolveRecord({ hosts, snapshot }, Object.fromEntries(options) as ResolveOptions, Date.now())
    },
    status: () => identityStatus(identity),
    show: async (kind, wanted, most) => {
      const { replica } = identity
      const what = parseShown(kind)
      return describeGently(replica.model, what, wanted, (section, key) => replica.originOf(section, key), most)
    },
  }
}

function identityStatus(identity: Identity): object {
  const { replica } = identity
  return {
    as_of: new Date(replica.snapshot.asOfMs).toISOString(),
    entries: replica.counts,
    past: replica.ledger.size,
    sources: identity.sources.map(({ kind, target, ok, fault, freshAtMs, faults, counts, ageMs, doubts }) => ({
      source: kind,
      target,
      state: stateOf(ok, doubts),
      fault,
      contradictions: doubts,
      fresh_at: freshAtMs === 0 ? null : new Date(freshAtMs).toISOString(),
      age_ms: ageMs,
      faults,
      counts,
    })),
  }
}

/** `fault`, or `doubtful` where it says what cannot be true together with the rest. */
export function stateOf(ok: boolean, doubts: readonly string[]): string {
  if (!ok) return 'fault'
  return doubts.length === 0 ? 'ok' : 'doubtful'
}
