/** Certificate and key of the API, read again at a reload. TLS 1.2 at least. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type SecureContextOptions, createSecureContext } from 'node:tls'
import { AppError } from '../errors.ts'

export interface Tls extends SecureContextOptions {
  readonly cert: string
  readonly key: string
  readonly minVersion: 'TLSv1.2'
}

/**
 * Reads both files; undefined when neither is given. Errors: config_invalid (only one, no certificate, another key, expired),
 * file_unreadable. Messages name paths, never what is in them.
 */
export function readTls(certPath: string | null, keyPath: string | null, nowMs = Date.now()): Tls | undefined {
  if (certPath === null && keyPath === null) return undefined
  if (certPath === null || keyPath === null)
    throw new AppError('config_invalid', 'api_tls_cert and api_tls_key are needed together')
  const [cert, key] = [read(certPath, 'api_tls_cert'), read(keyPath, 'api_tls_key')]
  let leaf: X509Certificate
  try {
    leaf = new X509Certificate(cert)
  } catch {
    throw new AppError('config_invalid', `api_tls_cert: ${certPath} holds no certificate (PEM)`)
  }
  if (!fits(leaf, key))
    throw new AppError(
      'config_invalid',
      `api_tls_key: ${keyPath} is not the private key (PEM, without a password) of ${certPath}`,
    )
  if (Date.parse(leaf.validTo) <= nowMs)
    throw new AppError('config_invalid', `api_tls_cert: ${certPath} expired on ${leaf.validTo}`)
  const tls: Tls = { cert, key, minVersion: 'TLSv1.2' }
  createSecureContext(tls)
  return tls
}

/** SHA-256 of the certificate, as `getPeerX509Certificate().fingerprint256` gives it. */
export function fingerprintOf({ cert }: Tls): string {
  return new X509Certificate(cert).fingerprint256
}

function fits(leaf: X509Certificate, key: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

function read(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AppError('file_unreadable', `${option}: cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
}
