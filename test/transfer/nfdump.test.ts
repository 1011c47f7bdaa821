/** nfdump's CSV: real files that nfcapd and nfdump made of a capture, and both vocabularies of its heads. */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getU64, type FlowBatch } from '../../src/schema/batch.ts'
import type { Block, FileBlock } from '../../src/store/store.ts'
import { type Imported, type ImportOptions, importLines } from '../../src/transfer/import.ts'
import { csvFields, linesOf } from '../../src/transfer/lines.ts'
import { Zone } from '../../src/transfer/zone.ts'
import { PCAPS } from '../paths.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const MISSING = ['nfcapd', 'nfdump'].find((name) => spawnSync(name, ['-V']).error !== undefined)
const T0 = Date.UTC(2026, 0, 31, 8)

async function read(text: string | string[], options: Partial<ImportOptions> = {}) {
  const batches: { rows: Record<string, number | string>[]; all: FlowBatch[] } = { rows: [], all: [] }
  const tokens: string[] = []
  const store = { insert: (block: Block | FileBlock) => Promise.resolve(void tokens.push(block.token)) }
  const imported: Imported = await importLines(store, 'x.csv', parts(text), false, {
    zone: new Zone('UTC'),
    attribute: (batch) => {
      batches.rows.push(...rowsOf(batch))
      batches.all.push(batch)
    },
    ...options,
  })
  return { imported, tokens, rows: batches.rows, batches: batches.all }
}

async function* parts(text: string | string[]): AsyncGenerator<Buffer> {
  for (const part of [text].flat()) yield await Promise.resolve(Buffer.from(part))
}

function rowsOf({ rows, columns: c }: FlowBatch): Record<string, number | string>[] {
  const address = (column: Uint32Array, row: number) =>
    [...new Uint8Array(column.buffer, column.byteOffset + row * 16 + 12, 4)].join('.')
  return Array.from({ length: rows }, (_, row) => ({
    end: getU64(c.flow_end, row) - T0,
    start: getU64(c.flow_start, row) - T0,
    received: getU64(c.time_received, row) - T0,
    src: `${address(c.src_addr, row)}:${c.src_l4_port[row]!}`,
    dst: `${address(c.dst_addr, row)}:${c.dst_l4_port[row]!}`,
    protocol: c.ip_protocol[row]!,
    flags: c.tcp_flags[row]!,
    icmp: `${c.icmp_type[row]!}.${c.icmp_code[row]!}`,
    packets: getU64(c.packets, row),
    bytes: getU64(c.bytes, row),
    version: c.ip_version[row]!,
  }))
}

const OLD = 'ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,dir,ismc,odmc,ra,eng,exid,tr'
const OLD_LINE =
  '2026-01-31 08:00:00,2026-01-31 08:00:01,1.250,10.0.0.1,10.0.0.2,1234,443,TCP,...AP.SF,0,16,13,1790,0,0,3,4,1,fa:16:3e:00:00:01,00:00:00:00:00:00,192.0.2.1,0/1,1,2026-01-31 08:00:09.968'
const NEW = 'firstSeen,duration,proto,srcAddr,srcPort,dstAddr,dstPort,packets,bytes,flows'
const NEW_LINE = '2026-01-31 08:00:00.500,1.250,ICMP,10.0.0.1,0,10.0.0.2,3.1,4,542,1'
const END = 'Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n1,2,3,4,5,6\n'

describe("nfdump's CSV", () => {
  it('is read in the vocabulary of 1.6 to 1.7.2', async () => {
    const { imported, rows } = await read(`${OLD}\n${OLD_LINE}\n${END}`)
    assert.deepEqual([imported.format, imported.rows, imported.damaged, imported.unknown], ['nfdump', 1, 0, []])
    assert.deepEqual(rows, [
      { end: 1250, start: 0, received: 9968, src: '10.0.0.1:1234', dst: '10.0.0.2:443', protocol: 6, flags: 0x1b, icmp: '0.0', packets: 13, bytes: 1790, version: 4 },
    ]) // prettier-ignore
  })

  it('is two records where a line has both directions (nfdump -B)', async () => {
    const line = OLD_LINE.replace(',13,1790,0,0,', ',13,1790,7,90210,')
    const bad = OLD_LINE.replace(',13,1790,0,0,', ',13,1790,7,-1,')
    const { imported, rows, batches } = await read(`${OLD}\n${line}\n${bad}\n${OLD_LINE}\n${END}`)
    assert.deepEqual([imported.rows, imported.damaged, imported.unknown], [3, 1, []])
    const there = { end: 1250, start: 0, received: 9968, src: '10.0.0.1:1234', dst: '10.0.0.2:443', protocol: 6, flags: 0x1b, icmp: '0.0', packets: 13, bytes: 1790, version: 4 } // prettier-ignore
    const back = { ...there, src: '10.0.0.2:443', dst: '10.0.0.1:1234', flags: 0, packets: 7, bytes: 90_210 }
    assert.deepEqual(rows, [there, back, there])
    const [batch] = batches
    assert.deepEqual([batch!.columns.in_if[1], batch!.columns.out_if[1]], [4, 3])
    assert.equal(getU64(batch!.columns.dst_mac, 1), 0xfa163e000001)
    // What the damaged line had written is gone.
    assert.equal(getU64(batch!.columns.bytes, 3), 0)
  })

  it('is read in the vocabulary of 1.7.3 on, in any order, with line ends of either kind', async () => {
    const { imported, rows } = await read(`${NEW}\r\n${NEW_LINE}\r\n`)
    assert.equal(imported.damaged, 0, imported.faults[0])
    assert.deepEqual([rows[0]!['end'], rows[0]!['start'], rows[0]!['received'], rows[0]!['icmp']], [1750, 500, 1750, '3.1']) // prettier-ignore
    const other = await read(
      'bytes,packets,dstAddr,srcAddr,proto,firstSeen,colour\n7,1,::1,2001:db8::1,ICMP6,1769846400,red\n',
    )
    assert.deepEqual([other.rows[0]!['version'], other.rows[0]!['protocol'], other.rows[0]!['end']], [6, 58, 0])
    assert.deepEqual(other.imported.unknown, ['colour'])
  })

  it('has its times in the zone that is told, also where the clock is put back', async () => {
    const at = async (zone: string, time: string) =>
      (await read(`${NEW}\n${time}${NEW_LINE.slice(23)}\n`, { zone: new Zone(zone) })).rows[0]!['start']
    assert.equal(await at('Europe/Vienna', '2026-01-31 09:00:00'), 0)
    assert.equal(await at('Asia/Kolkata', '2026-01-31 13:30:00'), 0)
    const summer = Date.UTC(2026, 6, 1, 10) - T0
    assert.equal(await at('Europe/Vienna', '2026-07-01 12:00:00'), summer)
    assert.equal(await at('Europe/Vienna', '2026-10-25 02:30:00'), Date.UTC(2026, 9, 25, 0, 30) - T0)
    assert.throws(() => new Zone('Mars/Olympus'), { code: 'usage' })
  })

  it('has its damaged lines counted with their numbers, twenty of them told', async () => {
    const bad = ['', '1,2,3', OLD_LINE.replace('TCP', 'XYZ'), OLD_LINE.replace('10.0.0.2', '10.0.0'), OLD_LINE.replace('1790', '-1'), OLD_LINE.replace(/^2026-01-31/, '2026-02-31')] // prettier-ignore
    const { imported, rows } = await read([OLD, '\n', OLD_LINE, '\n', bad.join('\n'), '\n', OLD_LINE, '\n'])
    assert.deepEqual([imported.rows, imported.damaged, rows.length], [2, 5, 2])
    assert.deepEqual(
      imported.faults.map((fault) => fault.split(':')[0]),
      ['line 4', 'line 5', 'line 6', 'line 7', 'line 8'],
    )
    const many = await read(`${OLD}\n${'x\n'.repeat(500)}`)
    assert.deepEqual([many.imported.damaged, many.imported.faults.length], [500, 20])
  })

  it('gives the same tokens however it is cut, and others for other lines', async () => {
    const text = `${OLD}\n${`${OLD_LINE}\n`.repeat(40)}`
    const whole = await read(text)
    assert.deepEqual((await read(text.match(/[^]{1,7}/g)!)).tokens, whole.tokens)
    assert.notDeepEqual((await read(text.replace('1790', '1791'))).tokens, whole.tokens)
  })

  it('ends lines in quotes where the quotes end, and takes no memory for one that does not', async () => {
    const numbers: (number | string)[][] = []
    for await (const { text, number } of linesOf(
      parts(['a,"b\nc', '"\nd\n', `"${'x'.repeat(3_000_000)}`, '\ne\n']),
      true,
    ))
      numbers.push([number, text ?? 'too long'])
    assert.deepEqual(numbers, [[1, 'a,"b\nc"'], [3, 'd'], [4, 'too long'], [5, 'e']]) // prettier-ignore
    assert.deepEqual(csvFields('a,"b,""c""",,"d"'), ['a', 'b,"c"', '', 'd'])
    assert.equal(csvFields('a,"b"c'), undefined)
  })

  it(
    'made by nfcapd and nfdump of a capture holds what nfdump counts',
    { skip: MISSING && `no ${MISSING} here` },
    async () => {
      const temporary = temporaryDirectory()
      const folder = join(temporary.path, 'nf')
      mkdirSync(folder)
      const probe = createSocket('udp4')
      probe.bind(0, '127.0.0.1')
      await once(probe, 'listening')
      const { port } = probe.address()
      const closed = once(probe, 'close')
      probe.close()
      await closed
      const nfcapd = spawn('nfcapd', ['-b', '127.0.0.1', '-p', String(port), '-w', folder, '-t', '3600'], {
        stdio: 'ignore',
      })
      await sleep(600)
      await sendCapture(join(PCAPS, 'netflow5/capture.pcap'), port)
      await sleep(400)
      const ended = once(nfcapd, 'close')
      nfcapd.kill('SIGTERM')
      await ended
      const text = execFileSync('nfdump', ['-R', folder, '-o', 'csv'], {
        env: { ...process.env, TZ: 'UTC' },
      }).toString()
      const [flows, bytes, packets] = text.trim().split('\n').at(-1)!.split(',').map(Number)
      assert.ok(flows! > 10)
      const { imported, rows } = await read(text)
      assert.deepEqual([imported.rows, imported.damaged, imported.faults], [flows, 0, []])
      const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0)
      assert.deepEqual([sum('bytes'), sum('packets')], [bytes, packets])
      // The same with both directions in one line.
      const both = execFileSync('nfdump', ['-R', folder, '-B', '-o', 'csv'], { env: { ...process.env, TZ: 'UTC' } })
      const turned = await read(both.toString())
      assert.ok(
        turned.rows.length >
          both
            .toString()
            .split('\n')
            .filter((line) => /^\d{4}-/.test(line)).length,
      )
      const total = (name: string) => turned.rows.reduce((all, row) => all + Number(row[name]), 0)
      assert.deepEqual([total('bytes'), total('packets')], [bytes, packets])
      temporary.remove()
    },
  )
})

/** The UDP payloads of a classic capture of Ethernet. */
async function sendCapture(file: string, port: number): Promise<void> {
  const bytes = readFileSync(file)
  const socket = createSocket('udp4')
  const little = bytes.readUInt32LE(0) === 0xa1b2c3d4
  for (let at = 24; at < bytes.length;) {
    const length = little ? bytes.readUInt32LE(at + 8) : bytes.readUInt32BE(at + 8)
    const packet = bytes.subarray(at + 16, at + 16 + length)
    const udp = 14 + (packet[14]! & 15) * 4
    if (packet.readUInt16BE(12) === 0x0800 && packet[23] === 17)
      await new Promise((done) =>
        socket.send(packet.subarray(udp + 8, udp + packet.readUInt16BE(udp + 4)), port, '127.0.0.1', done),
      )
    at += 16 + length
  }
  socket.close()
}
