/**
 * A server that answers as the recorded Keystone, Neutron and Nova did (`test/fixtures/openstack`: real answers of a Zed
 * control plane), for one kind of user, with paging, and with faults on demand.
 */
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ROOT } from '../paths.ts'

const FIXTURES = `${ROOT}test/fixtures/openstack/`

export type Who = 'admin' | 'system-reader' | 'project-reader-mujprojekt'

export class RecordedCloud {
  who: Who = 'admin'
  /** Names of the next answers, whatever is asked; for faults. */
  readonly faults: string[] = []
  /** Serve lists in the recorded pages instead of whole. */
  paging = false
  /** Cut every body to this many bytes. */
  cutAt: number | undefined
  /** Neutron answers what changed, as it does without filter_validation. */
  changes = false
  readonly requests: string[] = []
  private readonly server: Server

  constructor() {
    this.server = createServer((request, response) => this.answer(request, response))
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url}`)
    request.resume()
    const { status, body } = this.recorded(this.faults.shift() ?? this.nameFor(request))
    const named = body.replaceAll(/http:\/\/127\.0\.0\.1:(5000|9696|8774|8778|9292)/g, this.url)
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (request.method === 'POST') headers['x-subject-token'] = `token-${this.requests.length}`
    response.writeHead(status, headers)
    response.end(this.cutAt === undefined ? named : named.slice(0, this.cutAt))
  }

  private nameFor(request: IncomingMessage): string {
    const url = new URL(request.url ?? '/', this.url)
    const path = url.pathname.replace(/^\/v[\d.]+/, '')
    if (path === '/auth/tokens') return 'keystone-token-project'
    if (path === '/projects') return 'keystone-projects-as-admin'
    if (path === '/domains') return 'keystone-domains'
    if (path === '/servers/detail') return this.nova(url)
    // Neutron of Zed refuses the question for changes, as by default all do (filter_validation).
    if (url.searchParams.has('changed_since') && !this.changes) return 'neutron-ports-changed-since'
    const list = path.slice(1)
    if (this.paging && list === 'ports') return `neutron-ports-page${this.page(url, 'neutron-ports')}`
    const wanted = this.who === 'admin' ? `neutron-${list}-admin` : `neutron-${list}-as-${this.who}`
    // Subnets and trunks were recorded for the admin only; segments not at all, since that cloud lacks the extension.
    return [wanted, `neutron-${list}-admin`].find((name) => existsSync(`${FIXTURES}${name}.http`)) ?? 'neutron-path-404'
  }

  private nova(url: URL): string {
    if (this.who !== 'admin') return 'nova-servers-as-system-reader'
    if (url.searchParams.has('changes-since')) return 'nova-servers-changes-since'
    return this.paging ? `nova-servers-page${this.page(url, 'nova-servers')}` : 'nova-servers-2.3'
  }

  /** The recorded page that the marker leads to. */
  private page(url: URL, stem: string): number {
    const marker = url.searchParams.get('marker')
    if (marker === null) return 1
    return 1 + [1, 2, 3, 4].find((page) => this.recorded(`${stem}-page${page}`).body.includes(`&marker=${marker}"`))!
  }

  private recorded(name: string): { status: number; body: string } {
    const text = readFileSync(`${FIXTURES}${name}.http`, 'utf8')
    const at = text.search(/^HTTP\/1\.1 /m)
    const json = `${FIXTURES}${name}.json`
    const body = existsSync(json) ? readFileSync(json, 'utf8') : text.slice(at).replace(/^[\s\S]*?\n\r?\n/, '')
    return { status: Number(text.slice(at + 9, at + 12)), body }
  }
}
