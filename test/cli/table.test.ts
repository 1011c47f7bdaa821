import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import stringWidth from 'string-width'
import { layoutTable, shorten, visible, type TableColumn } from '../../src/cli/table.ts'

const COLUMNS: readonly TableColumn[] = [
  { title: 'server', weight: 100, keep: true, minWidth: 8, cells: ['red-1', 'a-server-with-quite-a-long-name'] },
  { title: 'id', weight: 1, minWidth: 9, cells: ['425fe781-d3aa', 'bb'] },
  { title: 'bytes', weight: 95, keep: true, align: 'right', cells: ['539 kB', '1 B'] },
  { title: 'packets', weight: 20, align: 'right', cells: ['507', '12.3 k'] },
]

describe('a table', () => {
  it('shows everything where there is room, numbers to the right', () => {
    assert.deepEqual(layoutTable(COLUMNS, 100), [
      'server                           id              bytes  packets',
      'red-1                            425fe781-d3aa  539 kB      507',
      'a-server-with-quite-a-long-name  bb                1 B   12.3 k',
    ])
  })

  it('leaves out what matters least, then cuts what can be cut', () => {
    assert.deepEqual(layoutTable(COLUMNS, 50), [
      'server                            bytes  packets',
      'red-1                            539 kB      507',
      'a-server-with-quite-a-long-name     1 B   12.3 k',
    ])
    assert.deepEqual(layoutTable(COLUMNS, 24), [
      'server             bytes',
      'red-1             539 kB',
      'a-server-with-q…     1 B',
    ])
  })

  it('is never wider than the terminal while its kept columns can give', () => {
    for (let width = 12; width < 120; width++)
      for (const line of layoutTable(COLUMNS, width)) assert.ok(stringWidth(line) <= width, `${width}: ${line}`)
  })

  it('counts places, not characters', () => {
    const [, first, second] = layoutTable(
      [
        { title: 'name', weight: 1, keep: true, cells: ['服务器', 'naïve'] },
        { title: 'n', weight: 1, keep: true, align: 'right', cells: ['1', '2'] },
      ],
      40,
    )
    assert.equal(first, '服务器  1')
    assert.equal(second, 'naïve   2')
    assert.equal(shorten('服务器服务器', 6), '服务…')
    assert.equal(shorten('👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 5), '👩‍👩‍👧‍👦👩‍👩‍👧‍👦…')
  })

  it('never lets a name drive the terminal', () => {
    const hostile = 'a\u001B[31mred\u0007\r\n\u202Egnp\u009B2J'
    assert.doesNotMatch(visible(hostile), /[\p{Cc}\u202E]/u)
    const lines = layoutTable([{ title: 'name', weight: 1, keep: true, cells: [hostile] }], 80)
    assert.equal(lines.length, 2)
    assert.doesNotMatch(lines.join(''), /[\p{Cc}\u202E]/u)
  })

  it('wraps sentences below where they start', () => {
    const lines = layoutTable(
      [
        { title: 'column', weight: 1, keep: true, cells: ['vlan', 'ttl'] },
        { title: 'doc', weight: 1, keep: true, minWidth: 10, wrap: true, cells: ['one two three four', 'five'] },
      ],
      20,
    )
    assert.deepEqual(lines, ['column  doc', 'vlan    one two', '        three four', 'ttl     five'])
  })
})
