/** The store that all tests of dashboards ask, and the questions asked of it: each text once, however many tests look at the answer. */
import { DASHBOARDS } from '../../dashboards/all.ts'
import type { DashboardSpec } from '../../dashboards/build.ts'
import type { PanelSpec } from '../../dashboards/panel.ts'
import { askTop } from '../../src/query/ask.ts'
import type { Row } from '../../src/query/request.ts'
import type { Rows } from '../../src/store/store.ts'
import type { Engine } from '../query/engine.ts'
import { BLUE, BLUE_1, BLUE_NET, RED, RED_1, RED_NET, SPAN, TROUBLE, openCloud } from './cloud.ts'
import { expand, type Selection } from './expand.ts'

export const ALL = { fromMs: SPAN.fromMs, toMs: TROUBLE.toMs }
export const EVERYTHING = '$__all'
export const TENANTS = {
  red: {
    project: RED,
    server: RED_1,
    network: RED_NET,
    port: '425fe781-d3aa-4b0f-9c11-000000000001',
    host: 'c0',
    search: 'red-1',
  },
  blue: {
    project: BLUE,
    server: BLUE_1,
    network: BLUE_NET,
    port: 'b25fe781-b8aa-4b0f-9c11-000000000004',
    host: 'c0',
    search: '192.168.10.8',
  },
} as const
export const WHOLE = { port: EVERYTHING, host: EVERYTHING, search: '' }

export class Asked {
  readonly engine: Engine
  private readonly answers = new Map<string, Promise<Rows>>()
  private readonly tops = new Map<string, Promise<Row[]>>()

  private constructor(engine: Engine) {
    this.engine = engine
  }

  static async open(): Promise<Asked> {
    return new Asked(await openCloud())
  }

  /** The answer to a question of a dashboard. `anew`: for its time, though it was asked before. */
  ask(sql: string, selection: Selection, anew = false): Promise<Rows> {
    const text = expand(sql, selection)
    const known = anew ? undefined : this.answers.get(text)
    if (known !== undefined) return known
    const answer = this.engine.store.query({ sql: text, params: {} }).catch((error: unknown) => {
      throw new Error(`${text}\n${(error as Error).message}`, { cause: error })
    })
    this.answers.set(text, answer)
    return answer
  }

  /** The rows of `ovsight top`. */
  top(dimension: string, span: { fromMs: number; toMs: number }, count?: 'all'): Promise<Row[]> {
    const key = `${dimension} ${span.fromMs} ${span.toMs} ${count ?? 'once'}`
    const known = this.tops.get(key)
    if (known !== undefined) return known
    const times = { from: new Date(span.fromMs).toISOString(), to: new Date(span.toMs).toISOString(), n: '50' }
    const rows = askTop(
      this.engine.store,
      { ...times, dimensions: [dimension], ...(count && { count }) },
      span.toMs,
    ).then((answer) => [...answer.rows])
    this.tops.set(key, rows)
    return rows
  }

  close(): Promise<void> {
    return this.engine.close()
  }
}

export function panelsOf(spec: DashboardSpec): PanelSpec[] {
  return spec.rows.flatMap(({ panels }) => panels)
}

export function panelOf(dashboard: string, title: string, kind?: PanelSpec['kind']): PanelSpec {
  const spec = DASHBOARDS.find(({ name }) => name === dashboard)!
  return panelsOf(spec).find((panel) => panel.title === title && (kind === undefined || panel.kind === kind))!
}
