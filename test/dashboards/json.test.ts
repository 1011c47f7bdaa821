/** What holds for every dashboard, whatever it shows, in the JSON that Grafana reads. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { generatedFiles } from '../../dashboards/files.ts'
import { UIDS } from '../../dashboards/links.ts'
import { RECORDED } from '../../src/cli/collector-rows.ts'
import { ROOT } from '../paths.ts'
import { tableOf } from './expand.ts'

const FOLDER = 'dashboards/json/'
const generated = generatedFiles()
const files = readdirSync(ROOT + FOLDER)

interface Target {
  refId: string
  datasource: { type: string; uid: string }
  rawSql?: string
}
interface Panel {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { uid: string }
  targets?: Target[]
  fieldConfig?: { defaults: { unit?: string; noValue?: string; thresholds?: { steps: unknown[] } } }
  options?: { legend?: object }
}
interface Dashboard {
  uid: string
  id?: number | null
  title: string
  tags: string[]
  links: { includeVars: boolean; keepTime: boolean }[]
  panels: Panel[]
  templating: {
    list: {
      name: string
      label?: string
      description?: string
      type: string
      query?: string
      datasource?: { uid: string }
    }[]
  }
}

const dashboards = files.map(
  (file) => [file, JSON.parse(readFileSync(ROOT + FOLDER + file, 'utf8')) as Dashboard] as const,
)
const questions = ({ panels }: Dashboard) => panels.filter(({ type }) => type !== 'row')

describe('the dashboards', () => {
  it('are what the generator writes (npm run dashboards)', () => {
    for (const [path, text] of Object.entries(generated)) assert.equal(readFileSync(ROOT + path, 'utf8'), text, path)
    const written = Object.keys(generated).filter((path) => path.startsWith(FOLDER))
    assert.deepEqual(files.toSorted(), written.map((path) => path.slice(FOLDER.length)).toSorted())
  })

  it('are seven, with uids of their own that links know', () => {
    assert.deepEqual(dashboards.map(([, { uid }]) => uid).toSorted(), Object.values(UIDS).toSorted())
    assert.equal(dashboards.length, 7)
    assert.equal(new Set(dashboards.map(([, { title }]) => title)).size, 7)
  })

  for (const [file, dashboard] of dashboards)
    describe(file, () => {
      const text = JSON.stringify(dashboard)

      it('has panels with ids of their own, side by side on the grid', () => {
        const ids = dashboard.panels.map(({ id }) => id)
        assert.equal(new Set(ids).size, ids.length)
        const taken = new Set<string>()
        for (const {
          title,
          gridPos: { x, y, w, h },
        } of dashboard.panels) {
          assert.ok(x >= 0 && x + w <= 24 && w > 0 && h > 0, title)
          for (let column = x; column < x + w; column++)
            for (let row = y; row < y + h; row++) {
              const cell = `${column},${row}`
              assert.ok(!taken.has(cell), `${title} lies on another at ${cell}`)
              taken.add(cell)
            }
        }
      })

      it('asks a question in every description, and has unit, thresholds and a word for nothing', () => {
        for (const { title, description = '', fieldConfig, type, options } of questions(dashboard)) {
          assert.match(description, /\?/, title)
          const { unit, noValue, thresholds } = fieldConfig!.defaults
          assert.ok(unit, title)
          assert.ok(noValue, title)
          assert.ok(thresholds!.steps.length > 0, title)
          if (type === 'timeseries') assert.ok(options?.legend, title)
        }
      })

      it('names no data source, host or id, but by variables', () => {
        assert.equal(dashboard.id ?? null, null)
        const uids = [...text.matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid!)
        for (const uid of uids) assert.ok(uid === dashboard.uid || /^\$\{datasource\}$/.test(uid), uid)
        assert.doesNotMatch(text, /[0-9a-f]{8}-[0-9a-f]{4}-|https?:/)
      })

      it('uses every variable it has, has every one it uses, and says what each is', () => {
        const own = new Set(dashboard.templating.list.map(({ name }) => name))
        const used = [...text.matchAll(/\$\{(\w+)(?::\w+)?\}|[ (]\$([a-z]\w*)\)/g)].map(([, a, b]) => (a ?? b)!)
        for (const name of used) assert.ok(own.has(name) || name.startsWith('__'), name)
        for (const { name, type, label, description } of dashboard.templating.list) {
          assert.ok(label && description, name)
          if (type === 'adhoc')
            for (const { targets = [] } of questions(dashboard))
              for (const { rawSql } of targets) assert.equal(tableOf(rawSql!), 'flows')
          else assert.ok(used.includes(name), name)
        }
      })

      it('leads to the others with the same span and selection', () => {
        assert.ok(dashboard.links.every(({ includeVars, keepTime }) => includeVars && keepTime))
        const uids: readonly string[] = Object.values(UIDS)
        for (const [, uid, rest] of text.matchAll(/"url":"\/d\/([^?"]+)([^"]*)"/g)) {
          assert.ok(uids.includes(uid!), uid)
          assert.match(rest!, /^\?\$\{__url_time_range\}&var-datasource=\$\{datasource\}&var-/)
          const [, variable] = /&var-(\w+)=\$\{__data\.fields\.\w+\}$/.exec(rest!)!
          const target = dashboards.find(([, one]) => one.uid === uid)![1]
          assert.ok(
            target.templating.list.some(({ name }) => name === variable),
            `${uid} ${variable}`,
          )
        }
      })

      it('asks only for metrics that a collector writes down', () => {
        for (const { targets = [] } of questions(dashboard))
          for (const { rawSql = '' } of targets)
            for (const [name] of rawSql.matchAll(/\bovsight_\w+/g))
              assert.ok(
                RECORDED.some((metric) => metric === name),
                name,
              )
      })
    })
})
