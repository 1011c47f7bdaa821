import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type TLSSocket, connect } from 'node:tls'
import { readTls } from '../../src/api/tls.ts'
import { AppError } from '../../src/errors.ts'
import { NO_ENGINE, collector, ovsight, temporary } from './cli.ts'
import { until } from './exports.ts'

/** A certificate for 127.0.0.1 and its key, signed by itself. */
function makeCertificate(directory: string, name: string, days = 2): { cert: string; key: string } {
  const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', String(days)]
  const options = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  execFileSync('openssl', [...options, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return { cert, key }
}

const NO_OPENSSL = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'no openssl'
  }
})()

/** Status of a GET with the certificate as its own authority, and headers. */
function status(
  url: string,
  ca: string,
): Promise<{ code: number | undefined; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    get(url, { ca }, (response) => {
      response.resume()
      resolve({ code: response.statusCode, headers: response.headers })
    }).on('error', reject)
  })
}

function handshake(url: string, options: object): Promise<TLSSocket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false, ...options }, () =>
      resolve(socket),
    )
    socket.on('error', reject)
  })
}

describe('the API with TLS', { skip: NO_ENGINE || NO_OPENSSL }, () => {
  it('speaks nothing else, is asked by the command line here, and takes another certificate at a reload', async () => {
    const directory = temporary()
    const data = join(directory, 'data')
    const [first, second] = [makeCertificate(directory, 'first'), makeCertificate(directory, 'second')]
    const [cert, key] = [join(directory, 'api.crt'), join(directory, 'api.key')]
    const install = (pair: { cert: string; key: string }) => {
      writeFileSync(cert, readFileSync(pair.cert))
      writeFileSync(key, readFileSync(pair.key))
    }
    install(first)
    const running = await collector(['--data', data, '--api-tls-cert', cert, '--api-tls-key', key, '--http-auth', 'on'])
    try {
      const { url } = running
      assert.match(url, /^https:/)
      const { code, headers } = await status(`${url}/healthz`, readFileSync(cert, 'utf8'))
      assert.equal(code, 200)
      assert.match(String(headers['strict-transport-security']), /max-age=\d{8}/)
      await assert.rejects(fetch(`${url.replace('https', 'http')}/healthz`))
      await assert.rejects(handshake(url, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }))
      const top = await ovsight(['top', '--data', data, '-f', 'json'])
      assert.deepEqual([top.code, top.stdout], [0, '[]\n'], top.stderr)
      install(second)
      const { pid } = JSON.parse(readFileSync(join(data, 'collector.json'), 'utf8')) as { pid: number }
      process.kill(pid, 'SIGHUP')
      await until('the new certificate', async () => {
        const socket = await handshake(url, {})
        const { subject } = socket.getPeerCertificate()
        socket.destroy()
        return String(subject.CN) === 'second'
      })
      assert.equal((await ovsight(['top', '--data', data, '-f', 'json'])).code, 0)
      // Somebody else at the collector's port, with a certificate of his own, does not get the token.
      const note = JSON.parse(readFileSync(join(data, 'collector.json'), 'utf8')) as Record<string, unknown>
      writeFileSync(join(data, 'collector.json'), JSON.stringify({ ...note, fingerprint: 'AA:BB' }))
      assert.notEqual((await ovsight(['top', '--data', data, '-f', 'json'])).code, 0)
    } finally {
      await running.stop()
    }
  })

  it('is refused with files that do not go together, and says which', () => {
    const directory = temporary()
    const [one, other] = [makeCertificate(directory, 'one'), makeCertificate(directory, 'other')]
    const fault = (cert: string | null, key: string | null, nowMs?: number) => {
      try {
        readTls(cert, key, nowMs)
        return ''
      } catch (error) {
        assert.ok(error instanceof AppError)
        return error.message
      }
    }
    assert.equal(fault(null, null), '')
    assert.equal(fault(one.cert, one.key), '')
    assert.match(fault(one.cert, null), /together/)
    assert.match(fault(one.cert, other.key), /is not the private key/)
    assert.match(fault(one.key, one.key), /holds no certificate/)
    assert.match(fault(one.cert, '/none.key'), /cannot read \/none\.key/)
    assert.match(fault(one.cert, one.key, Date.now() + 3 * 86_400_000), /expired/)
    for (const [cert, key] of [
      [one.cert, other.key],
      [one.key, one.key],
    ] as const)
      assert.ok(!fault(cert, key).includes('BEGIN'))
  })
})
