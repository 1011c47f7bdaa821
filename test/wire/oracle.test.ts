/** Captures read beside Wireshark's own tools, where they are installed. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { INTEROP, PCAPS } from '../paths.ts'
import { readCapture } from '../../src/wire/capture.ts'
import { fileBytes } from '../../src/wire/source.ts'
import { TRANSPORT, Transport } from '../../src/wire/transport.ts'
import { missing, readAll, run } from './captures.ts'

/** number, time in µs, captured length, original length, UDP ports and payload length. */
async function ours(file: string): Promise<string[]> {
  const transport = new Transport()
  const lines: string[] = []
  for await (const packet of readCapture(fileBytes(file))) {
    const isUdp = transport.find(packet) === TRANSPORT.udp && !transport.cut
    const ports = isUdp ? [transport.sourcePort, transport.destinationPort, transport.end - transport.start] : []
    lines.push(
      [
        packet.number,
        Math.round(packet.timeMs * 1000),
        packet.end - packet.start,
        packet.originalLength,
        ...ports,
      ].join(' '),
    )
  }
  return lines
}

function tshark(file: string, withUdp: boolean): string[] {
  const fields = ['frame.number', 'frame.time_epoch', 'frame.cap_len', 'frame.len']
  if (withUdp) fields.push('udp.srcport', 'udp.dstport', 'udp.length')
  const text = run('tshark', ['-n', '-r', file, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])])
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [number, time, captured, original, ...udp] = line.split('\t')
      const [seconds, fraction] = time!.split('.')
      const micros = Number(seconds) * 1e6 + Number(fraction!.slice(0, 6))
      const outer = udp.filter((value) => value !== '').map((value) => Number(value.split(',')[0]))
      if (outer.length === 3) outer[2]! -= 8
      return [number, micros, captured, original, ...outer].join(' ')
    })
}

describe('captures, beside tshark', { skip: missing('tshark') }, () => {
  for (const file of [
    'netflow5/capture.pcap',
    'ipfix/capture.pcap',
    'sflow5/capture.pcap',
    'openvswitch/ovs-sflow.pcap',
  ]) {
    it(`${file}: every packet and UDP payload`, async () => {
      assert.deepEqual(await ours(PCAPS + file), tshark(PCAPS + file, true))
    })
  }

  // Old, cut to a snapshot length, on a raw link, in fragments: the odd ones of tcpdump's tests.
  for (const name of [
    'gre-heapoverflow-1',
    'mpls-label-heapoverflow',
    'erspan-type-iii-pb-1',
    'various_gre',
    'geneve',
  ]) {
    const file = `${INTEROP}tcpdump/${name}.pcap`
    it(
      `${name}: number, time and lengths of every packet`,
      { skip: !existsSync(file) && 'no such capture here' },
      async () => {
        const lines = (await ours(file)).map((line) => line.split(' ').slice(0, 4).join(' '))
        assert.deepEqual(lines, tshark(file, false))
      },
    )
  }
})

describe('variants, as editcap writes them', { skip: missing('editcap') }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'ovsight-'))
  after(() => rmSync(directory, { recursive: true }))
  const original = `${PCAPS}netflow5/capture.pcap`

  for (const format of ['nsecpcap', 'modpcap', 'pcapng']) {
    it(`${format} gives the same packets`, async () => {
      const file = join(directory, format)
      run('editcap', ['-F', format, original, file])
      const converted = await readAll(readFileSync(file))
      assert.equal(converted.fault, undefined)
      assert.deepEqual(converted.packets, (await readAll(readFileSync(original))).packets)
    })
  }

  it('a snapshot length is told by the original length', async () => {
    const file = join(directory, 'cut')
    run('editcap', ['-s', '100', original, file])
    const { packets } = await readAll(readFileSync(file))
    const whole = (await readAll(readFileSync(original))).packets
    assert.deepEqual(
      packets.map((packet) => [packet.bytes.length, packet.originalLength]),
      whole.map((packet) => [Math.min(100, packet.bytes.length), packet.bytes.length]),
    )
  })
})

describe('files', () => {
  it('are read from standard input for "-"', () => {
    const modules = ['capture', 'source'].map((name) => new URL(`../../src/wire/${name}.js`, import.meta.url).href)
    const script = `
      import { readCapture } from '${modules[0]}'
      import { fileBytes } from '${modules[1]}'
      let count = 0
      for await (const packet of readCapture(fileBytes('-'))) count = packet.number
      console.log(count)`
    const input = readFileSync(`${PCAPS}sflow5/capture.pcap`)
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { input, encoding: 'utf8' })
    assert.equal(child.stdout, '87\n', child.stderr)
  })

  it('are closed when the reader stops early', async () => {
    let closed = false
    async function* stream(): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of fileBytes(`${PCAPS}sflow5/capture.pcap`)) yield chunk
      } finally {
        closed = true
      }
    }
    for await (const packet of readCapture(stream())) if (packet.number === 2) break
    assert.ok(closed)
  })

  it('that cannot be read are an operational fault with the reason', async () => {
    for (const [path, reason] of [
      ['/does/not/exist', /there is no such file/],
      [tmpdir(), /it is a directory/],
    ] as const) {
      // prettier-ignore
      await assert.rejects(readCapture(fileBytes(path)).next(), (fault: Error & { code?: string }) => {
        assert.equal(fault.code, 'file_unreadable')
        assert.match(fault.message, reason)
        return true
      })
    }
  })
})
