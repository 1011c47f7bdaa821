/** Answers for rows of the common case: what the general code would say of them, without its steps. */
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { REPORTS } from '../identity/snapshot/vantage.ts'
import type { Columns } from '../schema/columns.ts'
import type { Bridges } from './bridges.ts'
import { DIRECTION, EVIDENCE, GRADE, OUTPUT, PROTOCOL } from './codes.ts'
import type { Counting } from './counting.ts'
import type { Found } from './found.ts'
import type { Names } from './names.ts'
import { SOURCE } from './precedence.ts'
import { BY, type Straight } from './straight.ts'

/** Grade of the end that is not at the interface, and its evidence where that is not the interface's, by BY. */
const GRADE_BY = Uint8Array.of(GRADE.mac, GRADE.address, GRADE.port)
const EVIDENCE_BY = Uint8Array.of(EVIDENCE.network_mac, EVIDENCE.network_address, 0)

/**
 * Fills `found` at `i` for row `row`, of which `straight` has found the ends. False when that takes more than is known here, and nothing was
 * done: NetFlow that may count tunnel headers, or that names its output.
 */
export function answerStraight(
  c: Columns,
  row: number,
  i: number,
  straight: Straight,
  snapshot: IdentitySnapshot,
  names: Names,
  bridges: Bridges,
  counting: Counting,
  found: Found,
): boolean {
  const { interfaces } = snapshot
  const own = straight.own[i]!
  const other = straight.other[i]!
  const by = straight.by[i]!
  const host = straight.host[i]!
  const inIf = straight.inIf[i]!
  const outIf = straight.outIf[i]!
  const netflow = c.export_protocol[row] === PROTOCOL.netflow5
  const egress = !netflow && c.flow_direction[row] === DIRECTION.egress
  const item = egress ? outIf : inIf
  const bridge = interfaces.bridge(item)
  let evidence: number
  if (netflow) {
    if (bridges.userspace[bridge] === 1 || c.output_kind[row] === OUTPUT.interface) return false
    evidence = EVIDENCE.ofport
    counting.see(host, REPORTS.netflow)
    counting.sentStraight(interfaces.reports(item) | REPORTS.netflow, SOURCE.netflow, other, names)
  } else {
    evidence = (egress ? c.out_if_name[row] : c.in_if_name[row]) !== 0 ? EVIDENCE.if_name : EVIDENCE.if_index
    const report = egress ? REPORTS.ipfix_egress : REPORTS.ipfix_ingress
    counting.see(host, report)
    const reports = interfaces.reports(item) | report
    if (egress) counting.receivedStraight(reports, other, names)
    else counting.sentStraight(reports, SOURCE.ipfix, other, names)
  }
  const ownHost = host === names.hostOf(own) ? 0 : host
  const otherHost = by !== BY.interface || host === names.hostOf(other) ? 0 : host
  const otherEvidence = by === BY.interface ? evidence : EVIDENCE_BY[by]!
  found.sources[i] = egress ? other : own
  found.destinations[i] = egress ? own : other
  found.sourceHosts[i] = egress ? otherHost : ownHost
  found.destinationHosts[i] = egress ? ownHost : otherHost
  found.sourceGrades[i] = egress ? GRADE_BY[by]! : GRADE.port
  found.destinationGrades[i] = egress ? GRADE.port : GRADE_BY[by]!
  found.sourceEvidence[i] = egress ? otherEvidence : evidence
  found.destinationEvidence[i] = egress ? evidence : otherEvidence
  found.sourceCandidates[i] = 0
  found.destinationCandidates[i] = 0
  found.hosts[i] = host
  found.bridges[i] = bridge
  found.inIfs[i] = inIf
  found.outIfs[i] = outIf
  found.roles[i] = counting.role
  found.counts[i] = counting.counts
  return true
}
