/** What should not be: questions of the dashboard Isolation and of the alerts. */
import { records } from './records.ts'
import { shown } from './text-sql.ts'

/**
 * Records between servers of two projects that no path explains: their networks differ, and neither end was found by a floating IP or the
 * address of a router. Whether the two share a router or a network shows in how the ends were found: by them.
 */
export const BREACH =
  "traffic_class = 'between_projects' AND src_kind = 'server' AND dst_kind = 'server' AND src_network_id != dst_network_id " +
  "AND src_grade NOT IN ('floating', 'snat', 'router') AND dst_grade NOT IN ('floating', 'snat', 'router') " +
  "AND src_evidence != 'routing_domain_address' AND dst_evidence != 'routing_domain_address'"

export const BREACH_COLUMNS = [
  'traffic_class',
  'src_kind',
  'dst_kind',
  'src_network_id',
  'dst_network_id',
  'src_grade',
  'dst_grade',
  'src_evidence',
  'dst_evidence',
] as const

/** A source that counted this many peers, or ports of one peer, in the span is taken for a scanner. */
export const SCAN_PEERS = 50
export const SCAN_PORTS = 50

/** Packets seen of a destination, fewer than which it counts as tried and not as talked to; of sampled ones the samples. */
const TRIED = 4

/** Sources that tried many addresses or many ports; what they say to others besides does not hide it. Rows: who, what, how many. */
export const SCANS = `SELECT source, project, if(addresses >= ${SCAN_PEERS}, 'many addresses', 'many ports') AS sort, uniqExact(dst_addr) AS addresses, uniqExact(dst_l4_port) AS ports, sum(seen) AS packets FROM (SELECT if(src_server = '', ${shown('src')}, src_server) AS source, src_project AS project, dst_addr, dst_l4_port, sum(if(samples > 0, samples, packets)) AS seen FROM ${records('src_server', 'src_project', 'src_addr', 'dst_addr', 'dst_l4_port', 'ip_protocol', 'counts_once')} WHERE counts_once = 1 AND ip_protocol IN (1, 6, 17, 58) GROUP BY source, project, dst_addr, dst_l4_port HAVING seen < ${TRIED}) GROUP BY source, project HAVING addresses >= ${SCAN_PEERS} OR ports >= ${SCAN_PORTS} ORDER BY addresses + ports DESC LIMIT 50`
