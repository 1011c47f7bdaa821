import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NO_ENGINE } from '../store/engine.ts'
import { collector, ovsight, temporary } from './cli.ts'
import { findings, wantedFindings } from './doctor-findings.ts'

/** Broken on purpose, with real parts: a collector of its own, datagrams over UDP, an OVSDB that does not answer. */
describe('ovsight doctor', { skip: NO_ENGINE }, () => {
  it('names what is wrong with what comes, and what mends it', async () => {
    const data = temporary()
    const running = await collector(['--data', data])
    try {
      const socket = createSocket('udp4')
      const send = (bytes: Buffer, port: number) => new Promise((done) => socket.send(bytes, port, '127.0.0.1', done))
      const [netflow, ipfix] = [running.port('NetFlow'), running.port('IPFIX')]
      // Two bridges with the same engine id: their sequence numbers are one another's gaps.
      for (let i = 0; i < 60; i++) await send(netflow5(i % 2 === 0 ? 1000 + i : 900_000 + i, 0), netflow)
      // A clock five minutes ahead, from an engine of its own.
      for (let i = 0; i < 20; i++) await send(netflow5(i, 300, 7), netflow)
      for (let i = 0; i < 5; i++) await send(ipfixWithoutTemplate(i), ipfix)
      await send(Buffer.from([0, 10, 0, 200, 1, 2]), ipfix)
      socket.close()
      const found = await wantedFindings(data, [
        /share one sequence number/,
        /clock of 127\.0\.0\.1 netflow5 is 5 min ahead/,
        /no source of identity/,
        /came before its template/,
        /not decoded to their end/,
        /no known end/,
      ])
      const { mend, all } = found
      assert.match(mend(/share one sequence/), /ovsight setup .* --export netflow/)
      assert.match(mend(/before its template/), /template_interval=60/)
      assert.match(mend(/no source of identity/), /--identity FILE/)
      assert.ok(all.every(({ stage, state, evidence }) => stage !== undefined && (state === 'ok' || evidence !== '')))
      const table = await ovsight(['doctor', '--data', data, '--last', '1h'])
      assert.equal(table.code, 11)
      assert.match(table.stdout, /^stage +what, the evidence, and what mends it\nexporters +!! /)
      const exporters = await ovsight(['exporters', '--data', data, '--last', '1h', '-f', 'value', '-c', 'exporter', '-c', 'protocol']) // prettier-ignore
      assert.match(exporters.stdout, /^127\.0\.0\.1 (?:ipfix|netflow5)$/m)
    } finally {
      await running.stop()
    }
  })

  it('says that nothing arrives, and which source of identity does not answer', async () => {
    const data = temporary()
    const identity = join(data, 'cloud.yaml')
    writeFileSync(identity, 'hosts:\n  - name: c0\n    addresses: [10.0.0.1]\n    ovsdb: tcp:127.0.0.1:1\n')
    const running = await collector(['--data', data, '--identity', identity])
    try {
      const found = await wantedFindings(data, [/nothing has arrived/, /ovsdb .*127\.0\.0\.1:1 cannot be read/])
      assert.match(found.mend(/^ovsdb/), /create Manager/)
      assert.equal(found.all.find(({ stage }) => stage === 'store')?.state, 'ok')
    } finally {
      await running.stop()
    }
    assert.match((await findings(data))[0]?.what ?? '', /no collector runs/)
  })
})

/** One record of NetFlow v5, of an engine. */
function netflow5(sequence: number, aheadS: number, engine = 3): Buffer {
  const bytes = Buffer.alloc(72)
  bytes.writeUInt16BE(5, 0)
  bytes.writeUInt16BE(1, 2)
  bytes.writeUInt32BE(60_000, 4)
  bytes.writeUInt32BE(Math.floor(Date.now() / 1000) + aheadS, 8)
  bytes.writeUInt32BE(sequence, 16)
  bytes[21] = engine
  bytes.writeUInt32BE(0x0a00_0001, 24)
  bytes.writeUInt32BE(0x0a00_0002, 28)
  bytes.writeUInt32BE(1, 40)
  bytes.writeUInt32BE(100, 44)
  bytes.writeUInt32BE(59_000, 48)
  bytes.writeUInt32BE(60_000, 52)
  bytes[62] = 6
  return bytes
}

/** A data set of a template that nobody has sent. */
function ipfixWithoutTemplate(sequence: number): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt16BE(10, 0)
  bytes.writeUInt16BE(32, 2)
  // The clock is the host's, whatever it exports.
  bytes.writeUInt32BE(Math.floor(Date.now() / 1000) + 300, 4)
  bytes.writeUInt32BE(sequence, 8)
  bytes.writeUInt32BE(99, 12)
  bytes.writeUInt16BE(999, 16)
  bytes.writeUInt16BE(16, 18)
  return bytes
}
