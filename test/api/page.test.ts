import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openApi } from '../../src/api/openapi.ts'
import { buildApi, listenApi } from '../../src/api/server.ts'
import { askTop } from '../../src/query/ask.ts'
import { Engine } from '../query/engine.ts'
import { RECORDS, T0 } from '../query/records.ts'
import { NO_ENGINE } from '../store/engine.ts'
import { Browser, NO_BROWSER } from './browser.ts'

const NOW = T0 + 60_000
const PATHS = Object.keys((openApi('1') as { paths: object }).paths)

describe('the page of the API, in a browser', { skip: NO_ENGINE || NO_BROWSER }, () => {
  let engine: Engine
  let app: ReturnType<typeof buildApi>
  let browser: Browser
  before(async () => {
    engine = await Engine.open()
    await engine.insert(RECORDS)
    app = buildApi({ store: engine.store, metricsText: () => '', now: () => NOW })
    browser = await Browser.open(await listenApi(app, '127.0.0.1', 0))
    await browser.until("document.querySelector('details') !== null")
  })
  after(async () => {
    await browser.close()
    await app.close()
    await engine.close()
  })

  /** Fills the form of a path and presses its button; what the page then shows of the answer. */
  const ask = async (path: string, fields: Record<string, string>): Promise<string> => {
    await browser.evaluate(`(() => {
      const part = [...document.querySelectorAll('details')].find((each) => each.querySelector('code').textContent === ${JSON.stringify(path)})
      part.open = true
      part.querySelector('pre').textContent = ''
      for (const [name, value] of Object.entries(${JSON.stringify(fields)})) part.querySelector('[name="' + name + '"]').value = value
      part.querySelector('button').click()
    })()`)
    const shown = "[...document.querySelectorAll('details[open] pre')].map((each) => each.textContent).join('')"
    await browser.until(`${shown} !== ''`)
    const text = String(await browser.evaluate(shown))
    await browser.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = false))")
    return text
  }

  it('lists every question, each with what may be asked', async () => {
    const listed = await browser.evaluate(
      "[...document.querySelectorAll('summary > code')].map((each) => each.textContent)",
    )
    assert.deepEqual(listed, PATHS)
    assert.equal(await browser.evaluate("document.querySelectorAll('details:not(:has(button))').length"), 0)
  })

  it('writes as code what is code', async () => {
    assert.equal(await browser.evaluate("document.querySelector('main').textContent.includes('`')"), false)
    assert.equal(
      await browser.evaluate("document.querySelector('summary small code').textContent"),
      'ovsight top -f json',
    )
  })

  it('asks, and shows what the API answers', async () => {
    const [status, ...lines] = (await ask('/api/v1/top', { dimension: 'server', n: '2', last: '5m' })).split('\n')
    assert.equal(status, '200')
    const request = { dimensions: ['server'], n: '2', last: '5m' }
    assert.deepEqual(JSON.parse(lines.join('\n')), (await askTop(engine.store, request, NOW)).rows)
  })

  it('shows what is wrong with a question', async () => {
    const [status, ...lines] = (await ask('/api/v1/flows', { filter: 'dst prot 443' })).split('\n')
    assert.equal(status, '400')
    assert.match(lines.join('\n'), /"code": "filter_invalid"/)
  })

  it('is one that its own policy lets run, without a fault', () => {
    assert.deepEqual(
      browser.said.filter((each) => !each.includes('status of 400')),
      [],
    )
  })
})
