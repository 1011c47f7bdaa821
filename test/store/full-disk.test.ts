/** A disk that is really full: a small file system of its own, which needs root. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore, openWriter } from '../../src/store/open.ts'
import { Writer } from '../../src/store/writer.ts'
import { COUNTS, flowBlock } from './blocks.ts'
import { NO_ENGINE } from './engine.ts'
import { MemoryStore, unreachable } from './memory-store.ts'
import { temporaryDirectory } from './temporary.ts'

const temporary = temporaryDirectory()
const mounted: string[] = []
const NO_MOUNT = mount('probe', '64k') === undefined && 'needs the right to mount a file system'

/** A file system of a size; undefined where it cannot be made. */
function mount(name: string, size: string): string | undefined {
  const path = join(temporary.path, name)
  mkdirSync(path)
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'ovsight-test', path])
  if (status !== 0) return undefined
  mounted.push(path)
  return path
}

after(() => {
  for (const path of mounted) spawnSync('umount', [path])
  temporary.remove()
})

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 20_000; !holds(); await sleep(10))
    assert.ok(performance.now() < end, `${what} did not come about`)
}

/** Writes until nothing more fits. */
function fill(path: string): string {
  const file = join(path, 'filler')
  for (let size = 1 << 20; size >= 1; size >>= 1)
    for (;;) {
      try {
        writeFileSync(file, Buffer.alloc(size), { flag: 'a' })
      } catch {
        break
      }
    }
  return file
}

describe('a full disk', { skip: NO_MOUNT }, () => {
  it('of the spool, with the store away: blocks wait, and each is stored once when the store is back', async () => {
    const directory = mount('spool', '256k')!
    const store = new MemoryStore()
    store.fail = unreachable
    const writer = await Writer.open(store, { directory })
    const BLOCKS = 40
    const block = (i: number) => ({
      table: 'flows',
      columns: ['a'],
      rows: 10,
      token: `full-${i}`,
      bytes: Buffer.alloc(16_384, i),
    })
    let safe = 0
    for (let i = 0; i < BLOCKS; i++) void writer.enqueue(block(i)).then(() => safe++)
    await until('a full spool', () => writer.counters.spoolFailures > 1)
    assert.ok(safe > 5 && safe < BLOCKS, `${safe} blocks are safe`)
    assert.equal(writer.memoryBlocks, BLOCKS - safe)
    // Nothing of what did not fit is left.
    assert.equal(readdirSync(join(directory, 'spool')).filter((name) => name.endsWith('.native')).length, safe)
    store.fail = () => undefined
    await until('all of them safe', () => safe === BLOCKS)
    assert.equal(await writer.flush(20_000), true)
    for (let i = 0; i < BLOCKS; i++) assert.deepEqual(store.stored.get(`full-${i}`), block(i).bytes)
    assert.equal(writer.counters.droppedBlocks, 0)
    await writer.close()
  })

  it('of the embedded store: nothing is taken and nothing lost, and all is stored once when there is room', async (t) => {
    if (NO_ENGINE !== false) return t.skip(NO_ENGINE)
    const data = join(mount('store', '192m')!, 'data')
    const store = await openStore({ data })
    await store.migrate()
    const { writer, close } = await openWriter(store, { data })
    await writer.enqueue(flowBlock(100, 0))
    assert.equal(await writer.flush(30_000), true)
    const filler = fill(join(data, '..'))
    for (let i = 1; i < 5; i++) void writer.enqueue(flowBlock(20_000, i * 100_000))
    await until('a fault', () => writer.counters.spoolFailures > 0 && writer.counters.insertFailures > 0)
    const failed = writer.lastError
    assert.equal(failed?.code, 'store_unreachable')
    rmSync(filler)
    await until('the blocks', () => writer.memoryBlocks === 0)
    assert.equal(await writer.flush(60_000), true)
    const { rows } = await store.query({
      sql: COUNTS.replace(' FROM', ', (SELECT sum(records) FROM flows_1h) AS hours FROM'),
      params: {},
    })
    assert.deepEqual(rows, [{ rows: 80_100, different: 80_100, bytes: 8_010_000, hours: 80_100 }])
    await close()
    await store.close()
  })
})
