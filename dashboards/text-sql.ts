/** Values as people write them, in SQL. */

/** The lower port of a TCP or UDP record, which stands for its service. */
export const SERVICE_PORT = 'if(ip_protocol IN (6, 17), least(src_l4_port, dst_l4_port), 0)'

/** An address as people write it. */
export function shown(side: 'src' | 'dst'): string {
  return `if(${side}_addr = toIPv6('::'), 'not IP', replaceRegexpOne(toString(${side}_addr), '^::ffff:', ''))`
}

/** `tcp 443`: the service of a record. */
export function service(port = SERVICE_PORT): string {
  return `multiIf(ip_version = 0, 'not IP', ip_protocol = 6, concat('tcp ', toString(${port})), ip_protocol = 17, concat('udp ', toString(${port})), ip_protocol IN (1, 58), 'icmp', concat('protocol ', toString(ip_protocol)))`
}
