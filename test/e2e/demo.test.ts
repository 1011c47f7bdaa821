import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_ENGINE, ovsight } from './cli.ts'

describe('demo', { skip: NO_ENGINE }, () => {
  it('shows the two tenants apart and every server equal to its own counters, in under a minute', async () => {
    const start = Date.now()
    const { code, stdout, stderr } = await ovsight(['demo', '--once'])
    assert.equal(code, 0, stderr)
    assert.ok(Date.now() - start < 60_000)
    assert.equal(stderr, '')
    assert.match(stdout, /IPFIX +168 datagrams → +88 flow records/)
    assert.match(stdout, /NetFlow v5 +12 datagrams → +41 flow records/)
    assert.match(stdout, /sFlow v5, 1 in 8 +87 datagrams → +192 flow records/)
    assert.match(stdout, /GRE mirror of red-1 +770 mirrored frames → +20 flow records/)
    assert.match(stdout, /192\.168\.10\.8 +red +red-1 .*\n192\.168\.10\.8 +blue +blue-1 /)
    assert.match(stdout, /red +red-1 +539,082 +539,082 +17,219 +17,219/)
    assert.match(stdout, /6 of 6 servers agree to the byte/)
    assert.match(stdout, /answers at http:\/\/127\.0\.0\.1:\d+/)
  })
})
