/** Templates over a restart of the pipeline, and data held until they come, through the pipeline itself. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import { PROTOCOLS } from '../../src/decode/decoder.ts'
import { type BuiltPipeline, buildPipeline } from '../../src/pipeline/build.ts'
import { TemplateFile } from '../../src/pipeline/template-file.ts'
import type { DatagramBatch } from '../../src/receive/receiver.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { EXPORT_TIME, ipfix, set, template, u32, u64 } from '../decode/ipfix-build.ts'

const data = mkdtempSync(join(tmpdir(), 'ovsight-templates-'))
after(() => rmSync(data, { recursive: true }))
const lines: string[] = []
const log = createLog({ level: 'warn', format: 'json', to: { write: (line: string) => void lines.push(line) } })

function pipelineOf(): BuiltPipeline {
  const { config } = loadConfig({ flags: { data } })
  return buildPipeline(config, { attribute: () => {}, emit: () => Promise.resolve() })
}

function feed({ pipeline }: BuiltPipeline, bytes: Uint8Array): void {
  const batch: DatagramBatch = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    count: 1,
    start: Uint32Array.of(0),
    end: Uint32Array.of(bytes.length),
    source: Uint32Array.of(0, 0, 0xffff_0000, 0x0100_000a),
    sourcePort: Uint16Array.of(40_000),
    receivedMs: EXPORT_TIME,
  }
  pipeline.feed('ipfix', batch)
}

const IPFIX = PROTOCOLS.indexOf('ipfix')
const learn = ipfix(
  [
    set(
      2,
      template(300, [
        [2, 4],
        [1, 8],
      ]),
    ),
  ],
  7,
)
const record = ipfix([set(300, u32(5), u64(500))], 7)
const rows = ({ pipeline }: BuiltPipeline) => pipeline.counters.rows[IPFIX]
const faults = ({ pipeline }: BuiltPipeline) => [...pipeline.counters.faults()].map(({ count }) => count)

describe('templates over a restart', () => {
  it('are in the data directory a second later, and decode the first data of the next start', async () => {
    const first = pipelineOf()
    const file = new TemplateFile(data, first, log)
    file.start()
    feed(first, learn)
    for (let i = 0; i < 50 && !readdirSync(data).includes('templates.json'); i++) await sleep(100)
    assert.deepEqual(readdirSync(data), ['templates.json'])
    // As after kill -9: nothing is stopped.
    const second = pipelineOf()
    const read = new TemplateFile(data, second, log)
    feed(second, record)
    assert.equal(rows(second), 1)
    assert.deepEqual(faults(second), [])
    await Promise.all([file.stop(), read.stop()])
  })

  it('of one thread are read by all', async () => {
    const worker = pipelineOf()
    const file = new TemplateFile(data, worker, log, 2)
    feed(worker, ipfix([set(2, template(301, [[2, 4]]))], 7))
    await file.stop()
    assert.deepEqual(readdirSync(data), ['templates-2.json', 'templates.json'])
    const other = pipelineOf()
    assert.ok(new TemplateFile(data, other, log, 0))
    feed(other, record)
    feed(other, ipfix([set(301, u32(5))], 7))
    assert.equal(rows(other), 2)
  })

  it('from a damaged file are ignored with a warning', () => {
    writeFileSync(join(data, 'templates.json'), readFileSync(join(data, 'templates.json')).subarray(0, 50))
    lines.length = 0
    const pipeline = pipelineOf()
    assert.ok(new TemplateFile(data, pipeline, log))
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /damaged/)
    // What it had was in the other file too.
    assert.equal(pipeline.ipfix.templates.size, 2)
  })
})

describe('data before its template, in the pipeline', () => {
  it('is no fault while it waits, and its rows count when they come', () => {
    const built = pipelineOf()
    feed(built, record)
    built.pipeline.tick(EXPORT_TIME + 1000)
    assert.deepEqual([rows(built), faults(built)], [0, []])
    feed(built, learn)
    built.pipeline.tick(EXPORT_TIME + 2000)
    assert.deepEqual([rows(built), faults(built)], [1, []])
  })

  it('is a fault of its exporter once it is given up', async () => {
    const built = pipelineOf()
    feed(built, record)
    built.pipeline.tick(EXPORT_TIME + 661_000)
    assert.deepEqual([rows(built), faults(built)], [0, [1]])
    feed(built, record)
    await built.pipeline.flush()
    assert.deepEqual(faults(built), [2])
  })
})
