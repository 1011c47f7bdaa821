import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { DASHBOARDS } from '../../dashboards/all.ts'
import { ROOT } from '../paths.ts'
import { cut, escaped } from './pictures/svg.ts'

describe('the pictures of the dashboards (npm run pictures)', () => {
  const page = readFileSync(`${ROOT}docs/dashboards.md`, 'utf8')

  for (const spec of DASHBOARDS)
    it(`${spec.name}: every panel is there, and the docs show it`, () => {
      const picture = readFileSync(`${ROOT}docs/pictures/${spec.name}.svg`, 'utf8')
      assert.ok(page.includes(`(pictures/${spec.name}.svg)`))
      for (const { title, width } of spec.rows.flatMap(({ panels }) => panels))
        assert.ok(picture.includes(`>${escaped(cut(title, width * 60 - 28, 12))}</text>`), title)
      const opened = picture.match(/<(svg|text)\b/g)?.length
      assert.equal(picture.match(/<\/(svg|text)>/g)?.length, opened)
      assert.doesNotMatch(picture, /NaN|undefined|Infinity/)
    })
})
