import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, describe, it } from 'node:test'
import type { Block } from '../../src/store/store.ts'
import { Writer, type WriterOptions } from '../../src/store/writer.ts'
import { MemoryStore, answered, died, unreachable } from './memory-store.ts'
import { temporaryDirectory } from './temporary.ts'

const temporary = temporaryDirectory()
after(() => temporary.remove())

let directories = 0
const newDirectory = () => {
  const directory = join(temporary.path, String(directories++))
  mkdirSync(directory)
  return directory
}

const block = (token: string, bytes = 100): Block => ({
  table: 'flows',
  columns: ['a'],
  rows: 10,
  token,
  bytes: Buffer.alloc(bytes, token),
})

const open: Writer[] = []
afterEach(async () => {
  for (const writer of open.splice(0)) await writer.close(0)
})

async function openWriter(store: MemoryStore, options: Partial<WriterOptions> = {}): Promise<Writer> {
  const writer = await Writer.open(store, { directory: newDirectory(), ...options })
  open.push(writer)
  return writer
}

const spoolOf = (directory: string) => readdirSync(join(directory, 'spool'))
const until = async (condition: () => boolean) => {
  for (const end = Date.now() + 5_000; !condition();) {
    assert.ok(Date.now() < end, 'waited too long')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('a writer', () => {
  it('stores blocks in order, and leaves an empty spool', async () => {
    const store = new MemoryStore()
    const directory = newDirectory()
    const writer = await openWriter(store, { directory })
    const tokens = Array.from({ length: 20 }, (_, i) => `t${i}`)
    await Promise.all(tokens.map((token) => writer.enqueue(block(token))))
    assert.equal(await writer.flush(5_000), true)
    assert.deepEqual(store.attempts, tokens)
    assert.deepEqual(store.stored.get('t7'), Buffer.alloc(100, 't7'))
    assert.deepEqual(spoolOf(directory), [])
    const { enqueuedRows, insertedRows, inserts, insertFailures } = writer.counters
    assert.deepEqual([enqueuedRows, insertedRows, inserts, insertFailures], [200, 200, 20, 0])
    assert.deepEqual([writer.spoolBlocks, writer.spoolBytes, writer.memoryBlocks], [0, 0, 0])
  })

  it('resolves when a block is in the spool, whatever the store does, and gives the memory back then', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const directory = newDirectory()
    const writer = await openWriter(store, { directory })
    let released = 0
    const given = { ...block('t'), release: () => void released++ }
    const safe = writer.enqueue(given)
    assert.equal(released, 0)
    await safe
    assert.equal(released, 1)
    given.bytes.fill(0)
    assert.deepEqual(spoolOf(directory), ['000000000001.json', '000000000001.native'])
    assert.equal(await writer.flush(20), false)
    assert.equal(writer.lastError?.code, 'store_unreachable')
    store.fail = () => undefined
    assert.equal(await writer.flush(5_000), true)
    assert.equal(writer.lastError, undefined)
    assert.deepEqual(store.stored.get('t'), Buffer.alloc(100, 't'))
  })

  it('stores what an earlier process left, before anything new, under the same tokens', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const directory = newDirectory()
    const first = await openWriter(store, { directory })
    for (const token of ['a', 'b', 'c']) await first.enqueue(block(token))
    await first.close(0)
    store.fail = () => undefined
    store.attempts.length = 0
    const second = await openWriter(store, { directory })
    await second.enqueue(block('d'))
    assert.equal(await second.flush(5_000), true)
    assert.deepEqual(store.attempts, ['a', 'b', 'c', 'd'])
    assert.deepEqual(spoolOf(directory), [])
  })

  it('tries again after growing pauses while nobody answers', async () => {
    const store = new MemoryStore()
    let failures = 3
    store.fail = () => (failures-- > 0 ? unreachable() : undefined)
    const writer = await openWriter(store)
    const start = Date.now()
    await writer.enqueue(block('a'))
    await writer.enqueue(block('b'))
    assert.equal(await writer.flush(5_000), true)
    assert.equal(store.attempts.length, 5)
    assert.equal(writer.counters.insertFailures, 3)
    assert.ok(Date.now() - start >= 50 + 100 + 200)
  })

  it('lets others go before a block that failed', async () => {
    const store = new MemoryStore()
    let failures = 1
    store.fail = ({ token }) => (token === 'a' && failures-- > 0 ? unreachable() : undefined)
    const writer = await openWriter(store)
    await Promise.all(['a', 'b', 'c'].map((token) => writer.enqueue(block(token))))
    assert.equal(await writer.flush(5_000), true)
    assert.deepEqual(store.attempts, ['a', 'b', 'c', 'a'])
  })

  it('keeps a block that is refused as unreadable in quarantine, with the reason', async () => {
    const store = new MemoryStore()
    store.fail = ({ token }) => (token === 'bad' ? answered(117) : undefined)
    const directory = newDirectory()
    const writer = await openWriter(store, { directory })
    await Promise.all(['a', 'bad', 'b'].map((token) => writer.enqueue(block(token))))
    assert.equal(await writer.flush(5_000), true)
    assert.deepEqual([...store.stored.keys()], ['a', 'b'])
    assert.equal(store.attempts.filter((token) => token === 'bad').length, 2)
    assert.deepEqual(spoolOf(directory), [])
    const kept = readdirSync(join(directory, 'quarantine'))
    assert.equal(kept.length, 2)
    const facts = kept.find((name) => name.endsWith('.json'))!
    const { token, reason } = JSON.parse(readFileSync(join(directory, 'quarantine', facts), 'utf8')) as Record<
      string,
      string
    >
    assert.equal(token, 'bad')
    assert.match(reason!, /cannot read a block.*no\. \(NO\)/)
    assert.deepEqual([writer.counters.quarantinedBlocks, writer.counters.quarantinedRows], [1, 10])

    // As the message says: moved into the spool, it is tried again.
    await writer.close()
    for (const name of kept) {
      const number = name.replace(/^\d+-/, '')
      writeFileSync(join(directory, 'spool', number), readFileSync(join(directory, 'quarantine', name)))
    }
    store.fail = () => undefined
    assert.equal(await (await openWriter(store, { directory })).flush(5_000), true)
    assert.deepEqual([...store.stored.keys()], ['a', 'b', 'bad'])
  })

  it('holds a block back that alone fails for an odd reason, but never for one that passes', async () => {
    for (const [error, quarantined] of [
      [() => answered(8888), 1],
      [died, 1],
      [() => answered(252), 0],
      [unreachable, 0],
    ] as const) {
      const store = new MemoryStore()
      store.fail = ({ token }) => (token === 'odd' ? error() : undefined)
      const writer = await openWriter(store)
      await writer.enqueue(block('odd'))
      for (let i = 0; i < 8 && writer.counters.quarantinedBlocks === 0; i++) {
        await writer.enqueue(block(`t${i}`))
        await until(() => store.stored.has(`t${i}`))
        const tried = writer.counters.insertFailures
        await until(() => writer.counters.insertFailures > tried || writer.counters.quarantinedBlocks > 0 || i > 4)
      }
      assert.equal(writer.counters.quarantinedBlocks, quarantined, error().message)
      await writer.close(0)
    }
  })

  it('pushes the oldest out when the spool is full, and counts them', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const directory = newDirectory()
    const writer = await openWriter(store, { directory, spoolBytes: 350 })
    for (const token of ['a', 'b', 'c', 'd', 'e']) await writer.enqueue(block(token))
    await writer.enqueue(block('too-large', 400))
    assert.deepEqual([writer.counters.droppedBlocks, writer.counters.droppedRows], [3, 30])
    assert.deepEqual([writer.spoolBlocks, writer.spoolBytes], [3, 300])
    store.fail = () => undefined
    assert.equal(await writer.flush(5_000), true)
    assert.equal(store.stored.size, 3)
    assert.ok(['d', 'e'].every((token) => store.stored.has(token)))
  })

  it('counts the sums of a block with it, before it is written', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const writer = await openWriter(store, { directory: newDirectory(), spoolBytes: 350 })
    const summed = (token: string, bytes: number): Block => ({
      ...block(token),
      sums: { columns: ['a'], rows: 1, bytes: Buffer.alloc(bytes) },
    })
    for (const token of ['a', 'b', 'c']) {
      await writer.enqueue(summed(token, 60))
      assert.ok(writer.spoolBytes <= 350, `${writer.spoolBytes} bytes`)
    }
    assert.deepEqual([writer.spoolBlocks, writer.spoolBytes, writer.counters.droppedBlocks], [2, 320, 1])
    await writer.enqueue(summed('too-large', 300))
    assert.deepEqual([writer.spoolBlocks, writer.counters.droppedBlocks], [2, 2])
  })

  it('bounds the quarantine too', async () => {
    const store = new MemoryStore()
    store.fail = () => answered(117)
    const directory = newDirectory()
    const writer = await openWriter(store, { directory, quarantineBytes: 250 })
    for (const token of ['a', 'b', 'c', 'd']) await writer.enqueue(block(token))
    assert.equal(await writer.flush(5_000), true)
    assert.deepEqual([writer.counters.quarantinedBlocks, writer.counters.evictedBlocks], [4, 2])
    assert.equal(readdirSync(join(directory, 'quarantine')).length, 4)
  })

  it('never stores bytes that were damaged in the spool', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const directory = newDirectory()
    const first = await openWriter(store, { directory })
    for (const token of ['flipped', 'cut', 'grown', 'gone', 'no-facts', 'torn-facts', 'good'])
      await first.enqueue(block(token))
    await first.close(0)
    const file = (number: number, suffix: string) => join(directory, 'spool', String(number).padStart(12, '0') + suffix)
    const bytes = readFileSync(file(1, '.native'))
    bytes[50]! ^= 1
    writeFileSync(file(1, '.native'), bytes)
    writeFileSync(file(2, '.native'), Buffer.alloc(99, 'cut'))
    writeFileSync(file(3, '.native'), Buffer.alloc(101, 'grown'))
    rmSync(file(4, '.native'))
    rmSync(file(5, '.json'))
    writeFileSync(file(6, '.json'), readFileSync(file(6, '.json')).subarray(0, 20))
    writeFileSync(file(99, '.native.tmp'), 'half a block')
    writeFileSync(join(directory, 'spool', 'README'), 'somebody else’s')
    store.fail = () => undefined
    const second = await openWriter(store, { directory })
    assert.equal(await second.flush(5_000), true)
    assert.deepEqual([...store.stored.keys()], ['good'])
    assert.deepEqual([second.counters.damagedBlocks, second.counters.damagedRows], [3, 30])
    assert.deepEqual(spoolOf(directory), ['000000000005.native.orphan', '000000000006.native.orphan', 'README'])
    assert.equal(readdirSync(join(directory, 'quarantine')).length, 6)
    await second.enqueue(block('next'))
    await second.flush()
    assert.ok(store.stored.has('next'))
  })

  it('counts a block whose file is taken away while it waits', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const directory = newDirectory()
    const writer = await openWriter(store, { directory })
    await writer.enqueue(block('a'))
    rmSync(join(directory, 'spool'), { recursive: true })
    store.fail = () => undefined
    assert.equal(await writer.flush(5_000), true)
    assert.equal(writer.counters.damagedRows, 10)
    // The directory is gone too; blocks go straight into the store, or into a new one.
    await writer.enqueue(block('b'))
    assert.equal(await writer.flush(5_000), true)
    assert.ok(store.stored.has('b'))
  })

  it('stores without the spool where it cannot be written, and waits where neither takes a block', async () => {
    const store = new MemoryStore()
    const directory = newDirectory()
    const lines: string[] = []
    const log = { warn: (_: object, message: string) => void lines.push(message) }
    const writer = await openWriter(store, { directory, log })
    rmSync(join(directory, 'spool'), { recursive: true })
    writeFileSync(join(directory, 'spool'), 'a file where the directory was')
    await writer.enqueue(block('direct'))
    assert.ok(store.stored.has('direct'))
    assert.ok(writer.counters.spoolFailures >= 1)
    assert.ok(lines.some((line) => line.startsWith('the spool cannot be written')))
    store.fail = unreachable
    let safe = false
    const waiting = writer.enqueue(block('waits')).then(() => (safe = true))
    await until(() => writer.counters.insertFailures >= 2)
    assert.equal(safe, false)
    assert.equal(writer.memoryBlocks, 1)
    rmSync(join(directory, 'spool'))
    await waiting
    assert.equal(spoolOf(directory).length, 2)
    store.fail = () => undefined
    assert.equal(await writer.flush(5_000), true)
    assert.ok(store.stored.has('waits'))
    assert.equal(writer.counters.droppedBlocks, 0)
  })

  it('closes in time, and counts what it cannot keep', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const directory = newDirectory()
    const writer = await openWriter(store, { directory })
    await writer.enqueue(block('kept'))
    rmSync(join(directory, 'spool'), { recursive: true })
    writeFileSync(join(directory, 'spool'), '')
    void writer.enqueue(block('lost'))
    const start = Date.now()
    await writer.close(300)
    assert.ok(Date.now() - start < 2_000)
    await until(() => writer.memoryBlocks === 0)
    assert.equal(writer.counters.droppedRows, 10)
  })

  it('inserts several at a time where it is told to', async () => {
    const store = new MemoryStore()
    store.delayMs = 50
    const writer = await openWriter(store, { parallel: 4 })
    const start = Date.now()
    await Promise.all(Array.from({ length: 8 }, (_, i) => writer.enqueue(block(`t${i}`))))
    assert.equal(await writer.flush(5_000), true)
    assert.equal(store.stored.size, 8)
    assert.equal(store.attempts.length, 8)
    assert.ok(Date.now() - start < 8 * 50)
  })

  it('says little of a long outage', async () => {
    const store = new MemoryStore()
    store.fail = unreachable
    const lines: string[] = []
    const writer = await openWriter(store, { log: { warn: (_, message) => void lines.push(message) } })
    await writer.enqueue(block('a'))
    await until(() => writer.counters.insertFailures >= 4)
    assert.ok(lines.length <= 3, lines.join('\n'))
  })

  it('opens no spool where it cannot', async () => {
    const directory = newDirectory()
    writeFileSync(join(directory, 'spool'), '')
    await assert.rejects(Writer.open(new MemoryStore(), { directory }), /cannot open the spool/)
  })
})
