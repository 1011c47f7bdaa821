/** A server that speaks as much of RFC 7047 as a client needs, in this process: hundreds of them cost nothing. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { JsonSplitter } from '../../src/identity/sources/ovsdb/splitter.ts'
import { SWITCH, type DatabaseWanted } from '../../src/identity/sources/ovsdb/tables.ts'

type Rows = Record<string, Record<string, object>>

/** How it answers: soundly, not at all, half of each answer, by hanging up, or each so late. */
export type Manner = 'sound' | 'silent' | 'half' | 'refuses' | { lateMs: number }

export interface FakePlug {
  name: string
  ofport: number
  iface?: string
  tag?: number
  local_ip?: string
}

/** Rows of a switch with one bridge. */
export function switchRows(hostname: string, plugs: readonly FakePlug[]): Rows {
  const Port: Record<string, object> = {}
  const Interface: Record<string, object> = {}
  for (const [i, { name, ofport, iface, tag, local_ip }] of plugs.entries()) {
    Port[`p${i}`] = { name, interfaces: ['uuid', `i${i}`], tag: tag ?? ['set', []] }
    const external_ids = ['map', iface === undefined ? [] : [['iface-id', iface]]]
    const options = ['map', local_ip === undefined ? [] : [['local_ip', local_ip]]]
    const type = local_ip === undefined ? '' : 'vxlan'
    Interface[`i${i}`] = { name, ofport, ifindex: 100 + ofport, type, options, external_ids }
  }
  const ports = ['set', Object.keys(Port).map((uuid) => ['uuid', uuid])]
  return {
    Open_vSwitch: { o: { external_ids: ['map', [['hostname', hostname]]], bridges: ['uuid', 'b'] } },
    Bridge: { b: { name: 'br-int', ports } },
    Port,
    Interface,
  }
}

export class FakeOvsdb {
  manner: Manner = 'sound'
  /** Requests heard. */
  requests = 0
  private rows: Rows
  private readonly database: DatabaseWanted
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly monitors = new Map<Socket, unknown>()

  private constructor(rows: Rows, database: DatabaseWanted) {
    this.rows = rows
    this.database = database
    this.server = createServer((socket) => this.serve(socket))
  }

  static async listen(rows: Rows, database: DatabaseWanted = SWITCH): Promise<FakeOvsdb> {
    const fake = new FakeOvsdb(rows, database)
    await new Promise<void>((done) => fake.server.listen(0, '127.0.0.1', done))
    return fake
  }

  get target(): string {
    const address = this.server.address()
    return `tcp:127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  }

  /** Calls a client that waits for servers to call. */
  call(port: number): void {
    this.serve(connect(port, '127.0.0.1'))
  }

  /** Has other rows from now on, and tells its clients. */
  change(rows: Rows): void {
    const updates: Record<string, Record<string, object>> = {}
    for (const [table, before] of Object.entries(this.rows))
      for (const uuid of Object.keys(before)) (updates[table] ??= {})[uuid] = { old: {} }
    for (const [table, after] of Object.entries(rows))
      for (const [uuid, row] of Object.entries(after)) (updates[table] ??= {})[uuid] = { new: row }
    this.rows = rows
    for (const [socket, id] of this.monitors)
      socket.write(JSON.stringify({ method: 'update', params: [id, updates], id: null }))
  }

  /** Ends all connections. */
  drop(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  async close(): Promise<void> {
    const closed = new Promise((done) => this.server.close(done))
    this.drop()
    await closed
  }

  private serve(socket: Socket): void {
    const splitter = new JsonSplitter()
    this.sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.sockets.delete(socket)
      this.monitors.delete(socket)
    })
    socket.on('data', (chunk: Buffer) => {
      for (const message of splitter.push(chunk)) this.answer(socket, message as Request)
    })
  }

  private answer(socket: Socket, { method, params = [], id }: Request): void {
    if (method === undefined) return
    this.requests++
    const { manner } = this
    if (manner === 'silent') return
    if (manner === 'refuses') {
      socket.destroy()
      return
    }
    const text = JSON.stringify({ id, result: this.result(socket, method, params), error: null })
    if (manner === 'half') socket.write(text.slice(0, text.length / 2))
    else if (manner === 'sound') socket.write(text)
    else setTimeout(() => socket.write(text), manner.lateMs)
  }

  private result(socket: Socket, method: string, params: readonly unknown[]): unknown {
    if (method === 'get_schema') return this.schema()
    if (method !== 'monitor') return params
    this.monitors.set(socket, params[1])
    const tables = Object.entries(this.rows).map(([table, rows]) => [
      table,
      Object.fromEntries(Object.entries(rows).map(([uuid, row]) => [uuid, { new: row }])),
    ])
    return Object.fromEntries(tables) as unknown
  }

  private schema(): object {
    const tables = Object.entries(this.database.tables).map(([name, columns]) => [
      name,
      { columns: Object.fromEntries(columns.map((column) => [column, {}])) },
    ])
    return { name: this.database.name, tables: Object.fromEntries(tables) as unknown }
  }
}

interface Request {
  method?: string
  params?: readonly unknown[]
  id: unknown
}
