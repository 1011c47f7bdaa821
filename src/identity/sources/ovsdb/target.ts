/** How an OVSDB server is named: `tcp:HOST:PORT` (IPv6 in brackets) or `unix:PATH`, as ovs-vsctl(8) writes it. */
export type OvsdbTarget = { kind: 'tcp'; host: string; port: number } | { kind: 'unix'; path: string }

// RFC 7047 section 3: the IANA port.
const DEFAULT_PORT = 6640
const METHOD = /^(tcp|unix|ssl|ptcp|pssl|punix):(.+)$/

/** Whether the text names a server rather than a file. */
export function isTarget(text: string): boolean {
  return METHOD.test(text)
}

/** The target, or a sentence saying what is wrong with it. */
export function parseTarget(text: string): OvsdbTarget | string {
  const [, method, rest = ''] = METHOD.exec(text) ?? []
  if (method === 'unix') return { kind: 'unix', path: rest }
  if (method !== 'tcp') return `cannot connect to ${text}: give tcp:HOST:PORT, unix:PATH, or the file of a saved dump`
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(rest) ?? []
  const host = bracketed ?? plain
  const port = digits === undefined ? DEFAULT_PORT : Number(digits)
  if (host === undefined || port < 1 || port > 65535) return `${text} is not tcp:HOST:PORT`
  return { kind: 'tcp', host, port }
}
