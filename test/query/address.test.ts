import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressBytes, addressText, macText, parseMac, parsePrefix, prefixRange } from '../../src/query/address.ts'
import { Random } from './random.ts'

describe('addresses', () => {
  it('are written as RFC 5952 says', () => {
    const canonical: Readonly<Record<string, string>> = {
      '192.168.10.8': '192.168.10.8',
      '::ffff:192.168.10.8': '192.168.10.8',
      '::': '::',
      '::1': '::1',
      '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
      'fe80::': 'fe80::',
      '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
    }
    for (const [text, expected] of Object.entries(canonical)) assert.equal(addressText(addressBytes(text)!), expected)
    for (const text of ['', '10.0.0', '10.0.0.256', ':::', 'fe80::1%eth0', '1::2::3', 'web'])
      assert.equal(addressBytes(text), undefined, text)
  })

  it('come back from their text', () => {
    const random = new Random(5)
    for (let i = 0; i < 2000; i++) {
      const bytes = Uint8Array.from({ length: 16 }, () => (random.below(2) === 0 ? 0 : random.below(256)))
      assert.deepEqual(addressBytes(addressText(bytes)), bytes)
    }
  })

  it('of a prefix are a range, host bits cleared', () => {
    const ranges: Readonly<Record<string, readonly [string, string, string]>> = {
      '10.1.2.3/8': ['10.0.0.0/8', '::ffff:10.0.0.0', '::ffff:10.255.255.255'],
      '192.168.10.8/29': ['192.168.10.8/29', '::ffff:192.168.10.8', '::ffff:192.168.10.15'],
      '10.0.0.1/32': ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:10.0.0.1'],
      '0.0.0.0/0': ['0.0.0.0/0', '::ffff:0.0.0.0', '::ffff:255.255.255.255'],
      '2001:db8::1/33': ['2001:db8::/33', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff'],
      '::/0': ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
      'fe80::1/128': ['fe80::1', 'fe80::1', 'fe80::1'],
    }
    for (const [text, [prefix, first, last]] of Object.entries(ranges)) {
      assert.equal(parsePrefix(text), prefix)
      assert.deepEqual(prefixRange(prefix), { first, last })
    }
    for (const text of [
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/a',
      '10.0.0.0/8/8',
      'fe80::/129',
      '10/8',
      '/8',
      '10.0.0.0/-1',
    ])
      assert.equal(parsePrefix(text), undefined, text)
  })
})

describe('MAC addresses', () => {
  it('are read in the three ways they are written', () => {
    for (const text of ['fa:16:3e:00:00:0a', 'FA-16-3E-00-00-0A', 'fa16.3e00.000a'])
      assert.equal(macText(parseMac(text)!), 'fa:16:3e:00:00:0a')
    for (const text of ['fa:16:3e:00:00', 'fa:16-3e:00:00:0a', 'fa163e00000a', 'web'])
      assert.equal(parseMac(text), undefined, text)
  })
})
