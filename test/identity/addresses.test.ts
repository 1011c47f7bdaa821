import assert from 'node:assert/strict'
import { isIP, isIPv4 } from 'node:net'
import { describe, it } from 'node:test'
import { inCidr, parseCidr, parseIp, parseMac } from '../../src/identity/addresses.ts'

/** The 16 bytes that four lanes hold, as hex. */
const hex = (text: string) => Buffer.from(new Uint32Array(parseIp(text)!).buffer).toString('hex')

describe('addresses', () => {
  it('lie as their bytes in network order, IPv4 mapped into IPv6', () => {
    assert.equal(hex('192.168.10.8'), '00000000000000000000ffffc0a80a08')
    assert.equal(hex('fd00:20::f816:3eff:fe81:b15d'), 'fd00002000000000f8163efffe81b15d')
    assert.equal(hex('::'), '0'.repeat(32))
    assert.equal(hex('::1'), `${'0'.repeat(31)}1`)
    assert.equal(hex('1:2:3:4:5:6:7:8'), '00010002000300040005000600070008')
    assert.equal(hex('1:2:3:4:5:6:7::'), '00010002000300040005000600070000')
    assert.equal(hex('::ffff:10.0.0.1'), hex('10.0.0.1'))
    assert.equal(hex('fe80::1%eth0'), hex('fe80::1'))
  })

  it('are refused when they are none', () => {
    for (const text of ['', '10.0.0', '10.0.0.256', '1::2::3', 'red', '10.0.0.1/24'])
      assert.equal(parseIp(text), undefined)
  })

  it('are what Node.js takes for one, whatever is spoilt in them', () => {
    for (const sound of ['10.0.0.1', '255.255.255.255', '192.168.100.20', '0.0.0.0', '1.2.3.4'])
      for (let at = 0; at <= sound.length; at++)
        for (const put of ['', '0', '1', '5', '9', '.', 'a', ' ', '-', '/', ':', '٣'])
          for (const skip of [0, 1]) {
            const text = sound.slice(0, at) + put + sound.slice(at + skip)
            assert.equal(parseIp(text) !== undefined, isIP(text) !== 0, text)
            if (isIPv4(text))
              assert.equal(hex(text).slice(24), Buffer.from(text.split('.').map(Number)).toString('hex'))
          }
  })

  it('are in a range when the bits before its prefix agree', () => {
    const inside = (range: string, address: string) => inCidr(parseCidr(range)!, ...parseIp(address)!)
    assert.ok(inside('192.168.10.0/24', '192.168.10.255'))
    assert.ok(!inside('192.168.10.0/24', '192.168.11.0'))
    assert.ok(inside('10.0.0.0/7', '11.255.255.255'))
    assert.ok(inside('0.0.0.0/0', '8.8.8.8'))
    assert.ok(!inside('0.0.0.0/0', '2001:db8::1'))
    assert.ok(inside('fd00:20::/64', 'fd00:20::1'))
    assert.ok(!inside('fd00:20::/63', 'fd00:20:0:2::1'))
    assert.ok(inside('fd00:20::/63', 'fd00:20:0:1::1'))
    assert.ok(inside('10.1.2.3', '10.1.2.3'))
    assert.ok(inside('172.16.5.9/12', '172.31.0.1'), 'bits behind the prefix do not matter')
  })

  it('make no range with a prefix that is none', () => {
    for (const text of ['10.0.0.0/33', 'fd00::/129', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/8/8', '/8'])
      assert.equal(parseCidr(text), undefined, text)
  })

  it('of Ethernet are a number of 48 bits', () => {
    assert.deepEqual(parseMac('fa:16:3e:21:cf:75'), { high: 0xfa16, low: 0x3e21cf75 })
    assert.deepEqual(parseMac('FA-16-3E-AA-00-08'), { high: 0xfa16, low: 0x3eaa0008 })
    for (const text of ['', 'fa:16:3e:21:cf', 'fa:16:3e:21:cf:7g', 'fa163e21cf75'])
      assert.equal(parseMac(text), undefined)
  })
})
