import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ROOT } from '../paths.ts'
import { temporary } from './cli.ts'
import { until } from './exports.ts'

describe('an export that is stopped half-way', () => {
  /** A collector that begins an answer and never ends it. */
  let server: Server
  const directory = temporary()
  before(async () => {
    server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'ovsight-records': '1000' })
      response.write('{"bytes":1}\n')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    it(`by ${signal} leaves no file, and ends by it`, async () => {
      const file = join(directory, 'flows.jsonl')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const child = spawn(process.execPath, [
        join(ROOT, 'dist/src/main.js'),
        ...['export', '-f', 'jsonl', '-o', file, '--url', url],
      ])
      const said: string[] = []
      child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()))
      await until('the file', () => Promise.resolve(existsSync(`${file}.part`) || child.exitCode !== null))
      assert.equal(child.exitCode, null, said.join(''))
      const ended = once(child, 'exit')
      child.kill(signal)
      assert.deepEqual(await ended, [null, signal])
      assert.deepEqual(readdirSync(directory), [])
    })
})
