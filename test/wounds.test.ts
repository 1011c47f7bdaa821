/** Published faults of collectors that are of no decoder of exports; decode/known-wounds.test.ts has the list of all. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { buildApi } from '../src/api/server.ts'
import { MirrorDecoder } from '../src/decode/mirror/decoder.ts'
import { FlowBatch } from '../src/schema/batch.ts'
import { mirrored } from './decode/mirror-feed.ts'
import { ROOT } from './paths.ts'
import { ethernet, extension, fragment6, gre, ipv4, ipv6, udp } from './wire/frames.ts'

describe('wounds of others, beside the decoders', () => {
  it('GHSA-jmjw-392h-4g93 FastNetMon: IPv6 fragments, first and later ones and one in another, cut at every byte', () => {
    const payload = udp(53, 5353, new Uint8Array(32))
    const fragments = [1, 185 * 8].map((field) => fragment6(17, field, 5, payload))
    const nested = fragment6(44, 1, 5, fragments[0]!)
    const batch = new FlowBatch(64)
    const decoder = new MirrorDecoder('gre', { maxFlows: 4 })
    for (const inner of [...fragments, nested, extension(44, fragments[1]!)]) {
      const next = inner.length > nested.length ? 60 : 44
      const whole = ipv4({ protocol: 47 }, gre(0x6558, {}, ethernet(0x86dd, ipv6({ next }, inner))))
      for (let length = 0; length <= whole.length; length++) {
        decoder.decode(mirrored(whole.subarray(0, length)), batch)
        if (batch.free < 8) batch.reset()
      }
    }
    decoder.flush(batch)
    // A later fragment has no ports, whatever its bytes look like.
    const later = new MirrorDecoder('gre', { maxFlows: 4 })
    batch.reset()
    later.decode(mirrored(ipv4({ protocol: 47 }, gre(0x6558, {}, ethernet(0x86dd, ipv6({ next: 44 }, fragments[1]!))))), batch) // prettier-ignore
    later.flush(batch)
    assert.deepEqual([batch.rows, batch.columns.src_l4_port[0], batch.columns.dst_l4_port[0]], [1, 0, 0])
  })

  it('FastNetMon: no shell is started, and nothing is written under a name that others can know', () => {
    const files = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    )
    for (const file of files) {
      const text = readFileSync(`${ROOT}src/${file}`, 'utf8')
      assert.doesNotMatch(
        text,
        /\bexecSync\(|import \{[^}]*\bexec\b[^}]*\} from 'node:child_process'|shell: true/,
        file,
      )
      assert.doesNotMatch(text, /['"`]\/(?:var\/)?tmp\//, file)
    }
  })

  it('CVE-2017-5473 ntopng: the API changes nothing, so that no page of others can make a browser change it', async () => {
    const store = { name: 'none', query: () => Promise.reject(new Error('asked')) }
    const app = buildApi({ store, metricsText: () => '' })
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
      for (const url of ['/api/v1/top', '/api/v1/flows', '/api/v1/nothing', '/metrics', '/']) {
        const { statusCode, headers } = await app.inject({ method, url, headers: { origin: 'http://evil.example' } })
        assert.ok(statusCode === 404 || statusCode === 405, `${method} ${url} ${statusCode}`)
        assert.equal(headers['access-control-allow-origin'], undefined)
      }
    await app.close()
  })
})
