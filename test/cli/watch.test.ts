import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import stringWidth from 'string-width'
import { frame } from '../../src/cli/watch.ts'
import { beginning, KEYS, press, requestOf } from '../../src/cli/watch-state.ts'
import type { Answer } from '../../src/query/ask.ts'
import { PCAPS, ROOT } from '../paths.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { run } from './run.ts'

const ANSWER: Answer = {
  columns: [
    'row',
    'server',
    'server_id',
    'project',
    'sent_bytes',
    'received_bytes',
    'bytes',
    'records',
    'share',
    'trend',
  ],
  rows: Array.from({ length: 50 }, (_, i) => ({ row: 'group', server: `a-rather-long-name-${i}`, server_id: `id-${i}`, project: 'red', sent_bytes: i, received_bytes: 1, bytes: i + 1, records: 3, share: 0.1, trend: [1, 2, i] })), // prettier-ignore
  span: { fromMs: 0, toMs: 60_000, explicit: true },
  notes: [],
}

describe('watch', () => {
  it('goes through groupings and figures and keeps to figures that there are', () => {
    let state = beginning([], 'sent_bytes', 2, false)
    state = press(state, 's')
    assert.equal(state.by, 'received_bytes')
    for (let i = 0; i < 5; i++) state = press(state, 'g')
    // src_server dst_server has no received_bytes.
    assert.deepEqual(requestOf(state, 'tcp', 7), { dimensions: ['src_server', 'dst_server'], by: 'bytes', n: '7', filter: 'tcp', last: undefined, with: 'all' }) // prettier-ignore
    state = press(press(state, 'b'), '-')
    assert.deepEqual(requestOf(state, undefined, 7), { dimensions: ['src_server', 'dst_server'], by: 'bytes', n: '7', filter: undefined, last: '5m', bidirectional: 'true' }) // prettier-ignore
    assert.equal(press(press(state, 'G'), 'x').grouping, state.grouping - 1)
    assert.equal(press(state, ' ').paused, true)
    assert.equal(press(state, 'q').leave, true)
    assert.equal(press(state, '\u0003').leave, true)
  })

  it('fits every terminal, and every key is on the page of help', () => {
    const state = beginning(['server'], 'bytes', 0, false)
    for (const [width, height] of [[20, 6], [80, 24], [160, 50]] as const) // prettier-ignore
      for (const shown of [undefined, { answer: ANSWER }, { fault: 'the collector at http://127.0.0.1:8080 does not answer; is it stopping?' }]) {
        const lines = frame(state, shown, { width, height })
        assert.ok(lines.length <= height)
        if (width > 20) for (const line of lines) assert.ok(stringWidth(line) <= width, line)
      } // prettier-ignore
    const help = frame(press(state, '?'), undefined, { width: 80, height: 24 }).join('\n')
    for (const { doc } of Object.values(KEYS)) assert.ok(help.includes(doc))
  })

  it('needs a terminal', async () => {
    assert.match((await run(['watch'])).error?.message ?? '', /needs a terminal/)
    assert.equal((await run(['watch', '--every', '1ms'])).error?.code, 'time_invalid')
    assert.equal((await run(['watch', 'servr'])).error?.code, 'column_unknown')
  })

  it('draws in place, changes with keys, and gives the terminal back', { skip: skipTmux() }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'ovsight-watch-'))
    const program = join(ROOT, 'dist/src/main.js')
    const tmux = (...words: string[]) =>
      execFileSync('tmux', ['-S', join(directory, 'tmux'), ...words], { encoding: 'utf8' })
    const screen = async (wanted: RegExp) => {
      let text = ''
      for (let tries = 0; tries < 300; tries++) {
        text = tmux('capture-pane', '-p')
        if (wanted.test(text)) return text
        await sleep(100)
      }
      throw new assert.AssertionError({ message: `no ${String(wanted)} in\n${text}` })
    }
    const data = join(directory, 'data')
    const capture = [`--identity=${PCAPS}ipfix/identity.yaml`, `${PCAPS}ipfix/capture.pcap`]
    execFileSync(process.execPath, [program, 'replay', '--data', data, ...capture], { stdio: 'ignore' })
    try {
      tmux('-f', '/dev/null', 'new-session', '-d', '-x', '100', '-y', '30', 'sh')
      tmux('send-keys', `${process.execPath} ${program} watch --data ${data}; echo LEFT-$?`, 'Enter')
      assert.match(
        await screen(/red-1 +red .*\n[^]*total/),
        /^ovsight top server --by bytes --last 15m +\? keys, q leaves/,
      )
      tmux('send-keys', 'g')
      await screen(/top project --by bytes[^]*\nred +[0-9.]+ kB/)
      tmux('send-keys', 's')
      await screen(/--by sent_l2_bytes/)
      tmux('send-keys', '?')
      await screen(/g +next grouping/)
      tmux('send-keys', '?', 'b')
      await screen(/--bidirectional[^]*a_project/)
      tmux('resize-window', '-x', '60', '-y', '12')
      await screen(/^ovsight top project --bidirectional/)
      tmux('send-keys', 'q')
      await screen(/LEFT-0/)
    } finally {
      tmux('kill-server')
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

function skipTmux(): string | false {
  if (NO_ENGINE !== false) return NO_ENGINE
  try {
    execFileSync('tmux', ['-V'], { stdio: 'ignore' })
    return false
  } catch {
    return 'tmux is not installed'
  }
}
