/** Questions about the telemetry itself, which several dashboards and alerts ask. */
import { AUDIT_TABLE, HEALTH_TABLE } from '../src/schema/side-tables.ts'
import { records } from './records.ts'

export const HEALTH = HEALTH_TABLE.name
export const AUDIT = AUDIT_TABLE.name
export const HEALTH_SPAN = 'minute >= toStartOfMinute($__fromTime_ms) AND minute < $__toTime_ms'
export const AUDIT_SPAN = 'span_to >= $__fromTime_ms AND span_from < $__toTime_ms'

/** Datagrams that were dropped here, before decoding could see them. */
export const DROPS = 'kernel_drops + overload_drops + refused_drops'

const FRAMES = "h.protocol IN ('gre', 'erspan', 'vxlan')"
const SAMPLES = "(h.protocol = 'sflow5' AND sum(h.samples) > 0)"
const DROPPED = 'sum(h.kernel_drops) + sum(h.overload_drops)'
const EXPECTED = `multiIf(${FRAMES}, sum(h.datagrams) + ${DROPPED}, ${SAMPLES}, sum(h.samples), sum(h.expected))`
const LOST = `multiIf(${FRAMES}, ${DROPPED}, ${SAMPLES}, sum(h.lost_samples), sum(h.lost))`
const UNDECODED = "sumIf(h.faults, fault NOT IN ('', 'template_invalid'))"

/**
 * Of what an exporter sent by one protocol, what was counted, in percent; NULL where the exporter does not tell what it sent. A group by
 * exporter and protocol, or finer, of the table called h is around it. The rule is that of src/query/completeness.ts.
 */
export const COMPLETE = `if(${EXPECTED} > 0 AND sum(h.mixed) <= 0.01 * sum(h.datagrams), 100 * (1 - least(${EXPECTED}, ${LOST} + ${UNDECODED}) / ${EXPECTED}), NULL)`

/** All exporters together, each with the weight of its datagrams. */
export const COMPLETENESS = `SELECT sum(complete * sent) / sum(if(complete IS NULL, 0, sent)) AS completeness FROM (SELECT ${COMPLETE} AS complete, sum(h.datagrams) + sum(faults) AS sent FROM ${HEALTH} AS h WHERE ${HEALTH_SPAN} GROUP BY h.exporter, h.protocol) HAVING count(complete) > 0`

/** Verdicts that are no cause for concern. */
export const GOOD_VERDICTS = "('agrees', 'within_sampling_error')"

export const AUDIT_AGREES = `SELECT 100 * countIf(verdict IN ${GOOD_VERDICTS}) / countIf(verdict != 'unknown') AS agrees FROM ${AUDIT} WHERE ${AUDIT_SPAN} HAVING countIf(verdict != 'unknown') > 0`

/** The share of counted bytes, in percent, of which an end could not be resolved. */
export const UNKNOWN_SHARE = `SELECT 100 * sumIf(bytes, src_grade IN ('unknown', 'ambiguous') OR dst_grade IN ('unknown', 'ambiguous')) / sum(bytes) AS unknown FROM ${records('counts_once', 'src_grade', 'dst_grade')} WHERE counts_once = 1 HAVING sum(bytes) > 0`
