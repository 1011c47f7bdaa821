/**
 * A collector as far as the store is concerned, for crash.test.ts: opens store and spool in a directory, and enqueues blocks of
 * its own numbers for ever, saying each number when the block is safe. Started with the first number to use.
 */
import { openStore, openWriter } from '../../src/store/open.ts'
import { flowBlock } from './blocks.ts'

export const ROWS = 100

const [directory, first] = process.argv.slice(2)
if (process.send !== undefined && directory !== undefined && first !== undefined) {
  const store = await openStore({ data: directory })
  await store.migrate()
  const { writer } = await openWriter(store, { data: directory })
  for (let number = Number(first); ; number++) {
    await writer.enqueue(flowBlock(ROWS, number * ROWS, `block-${number}`))
    process.send(number)
    if (writer.spoolBlocks > 50) await writer.flush(100)
  }
}
