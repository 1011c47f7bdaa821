import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { JsonSplitter } from '../../src/identity/sources/ovsdb/splitter.ts'

const MESSAGES = [
  { id: 1, result: { 'a}"{': 'quotes \\" and { brackets ] in "strings"', nested: [[{}], { x: [1, 2] }] }, error: null },
  { method: 'echo', params: [], id: 'echo' },
  { name: 'žluťoučký kůň 🐎', empty: '', escaped: '\\\\', line: 'a\nb' },
  {},
]
const STREAM = Buffer.from(MESSAGES.map((message) => JSON.stringify(message)).join('  \n'))

function split(...chunks: Buffer[]): unknown[] {
  const splitter = new JsonSplitter()
  return chunks.flatMap((chunk) => splitter.push(chunk))
}

describe('a stream of JSON-RPC messages', () => {
  it('is split wherever a read ends: at every byte, also inside escapes and UTF-8 sequences', () => {
    for (let at = 0; at <= STREAM.length; at++)
      assert.deepEqual(split(STREAM.subarray(0, at), STREAM.subarray(at)), MESSAGES, `cut at ${at}`)
  })

  it('is split when it comes byte by byte', () => {
    assert.deepEqual(split(...[...STREAM].map((byte) => Buffer.of(byte))), MESSAGES)
  })

  it('gives what is complete and keeps the rest', () => {
    const splitter = new JsonSplitter()
    const half = Buffer.from('{"a":1}{"b":"}')
    assert.deepEqual(splitter.push(half), [{ a: 1 }])
    assert.deepEqual(splitter.push(Buffer.from('"}')), [{ b: '}' }])
  })

  it('does not depend on the buffer of a read after it', () => {
    const splitter = new JsonSplitter()
    const chunk = Buffer.from('{"a":')
    splitter.push(chunk)
    chunk.fill(0)
    assert.deepEqual(splitter.push(Buffer.from('1}')), [{ a: 1 }])
  })

  it('that is something else is refused at once', () => {
    for (const text of ['HTTP/1.1 400 Bad Request', ']', '"text"', '7'])
      assert.throws(() => split(Buffer.from(text)), /not JSON-RPC/)
    assert.throws(() => split(Buffer.from('{a}')), SyntaxError)
  })

  it('with a message that never ends is given up', () => {
    const splitter = new JsonSplitter(1000)
    const part = Buffer.from(`{"a":"${'x'.repeat(600)}`)
    splitter.push(part)
    assert.throws(() => splitter.push(Buffer.from('x'.repeat(600))), /longer than 1000 bytes/)
  })
})
