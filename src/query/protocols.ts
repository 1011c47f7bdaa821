/** IP protocol numbers (IANA) that people call by name; the first name of a number is the one shown. */
export const PROTOCOLS = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6_in_ip: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmp6: 58,
  icmpv6: 58,
  ospf: 89,
  pim: 103,
  vrrp: 112,
  sctp: 132,
  udplite: 136,
} as const satisfies Record<string, number>

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(PROTOCOLS))
const NAMES: ReadonlyMap<number, string> = new Map([...NUMBERS].reverse().map(([name, number]) => [number, name]))

/** `tcp` → 6; undefined when no protocol has the name. */
export function protocolNumber(name: string): number | undefined {
  return NUMBERS.get(name.toLowerCase())
}

/** 6 → `tcp`; the number itself where it has no name. */
export function protocolName(number: number): string {
  return NAMES.get(number) ?? String(number)
}
