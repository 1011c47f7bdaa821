import type { FastifyInstance, FastifyReply } from 'fastify'
import { AppError } from '../errors.ts'

/** What the collector's model says of itself; plain data, keys as in the answers. */
export interface IdentityApi {
  status(): object
  /** A made-up record and where its keys lead. Errors: usage, each fault at once. */
  resolve(record: Readonly<Partial<Record<keyof typeof RESOLVE_PARAMETERS, string>>>): object
  /** Rows of what is known. Errors: usage (no such kind). */
  show(kind: string, wanted: string | undefined, most: number): Promise<{ rows: readonly object[]; more: boolean }>
}

const DEFAULT_ROWS = 1_000
const MOST_ROWS = 200_000

/** Parameters of identity/show; docs/api.md lists them. */
export const IDENTITY_PARAMETERS = {
  kind: {
    type: 'string',
    maxLength: 20,
    description: '`ports`, `servers` (default), `networks`, `projects`, `hosts`.',
  },
  wanted: {
    type: 'string',
    maxLength: 200,
    description: 'A name, an id (its first eight characters do), an address or a MAC; keeps the entries that have it.',
  },
  n: { type: 'string', maxLength: 10, description: `Number of rows, 1 to ${MOST_ROWS}. Default: ${DEFAULT_ROWS}.` },
} as const

const key = (description: string) => ({ type: 'string', maxLength: 100, description }) as const

/** Parameters of identity/resolve: the keys of a made-up record. */
export const RESOLVE_PARAMETERS = {
  host: key('Host of the exporter.'),
  exporter: key('Address of the exporter, in place of `host`.'),
  ofport: key('OpenFlow port where it entered (as NetFlow has it).'),
  engine: key('NetFlow engine type * 256 + engine id.'),
  ifindex: key('ifIndex where it entered (as sFlow has it).'),
  ifname: key('Name of the interface where it entered (as IPFIX has it).'),
  egress_ifname: key('Name of the interface where it left: an egress record of IPFIX.'),
  src: key('Source IP address.'),
  dst: key('Destination IP address.'),
  src_mac: key('Source MAC address.'),
  dst_mac: key('Destination MAC address.'),
  vlan: key('VLAN id.'),
  vni: key('VNI of the tunnel it came by.'),
  at: key('When. Default: now.'),
} as const

interface ShowQuery {
  kind?: string
  wanted?: string
  n?: string
}

/** /api/v1/identity/status, /show and /resolve: what the command line's `identity status`, `identity show` and `identity resolve` write. */
export function identityRoutes(app: FastifyInstance, identity: IdentityApi): void {
  app.get('/api/v1/identity/status', (_request, reply) => send(reply, identity.status()))
  app.get<{ Querystring: Record<string, string> }>(
    '/api/v1/identity/resolve',
    {
      schema: { querystring: { type: 'object', additionalProperties: false, properties: RESOLVE_PARAMETERS } },
      schemaErrorFormatter: ([error]) =>
        new AppError('usage', `parameters of identity/resolve: ${error?.message ?? 'wrong'}; known are ${Object.keys(RESOLVE_PARAMETERS).join(', ')}`), // prettier-ignore
    },
    ({ query }, reply) => send(reply, identity.resolve(query)),
  )
  app.get<{ Querystring: ShowQuery }>(
    '/api/v1/identity/show',
    {
      schema: { querystring: { type: 'object', additionalProperties: false, properties: IDENTITY_PARAMETERS } },
      schemaErrorFormatter: ([error]) =>
        new AppError('usage', `parameters of identity/show: ${error?.message ?? 'wrong'}; known are kind, wanted, n`),
    },
    async ({ query: { kind = 'servers', wanted, n } }, reply) => {
      const most = n === undefined ? DEFAULT_ROWS : Number(n)
      if (!Number.isInteger(most) || most < 1 || most > MOST_ROWS)
        throw new AppError('usage', `n ${n} is not a number from 1 to ${MOST_ROWS}`)
      const { rows, more } = await identity.show(kind, wanted, most)
      const notes = more ? [`only the first ${most} are given`] : []
      return send(reply.header('ovsight-notes', encodeURIComponent(JSON.stringify(notes))), rows)
    },
  )
}

function send(reply: FastifyReply, answer: unknown): FastifyReply {
  return reply.header('cache-control', 'no-store').type('application/json; charset=utf-8').send(JSON.stringify(answer))
}
