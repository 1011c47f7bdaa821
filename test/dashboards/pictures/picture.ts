/** One dashboard asked and drawn. */
import type { DashboardSpec } from '../../../dashboards/build.ts'
import type { Rows, Store } from '../../../src/store/store.ts'
import { expand, type Selection } from '../expand.ts'
import { asked, draw } from './draw.ts'

export async function pictureOf(
  store: Store,
  spec: DashboardSpec,
  selection: Selection,
  note?: string,
): Promise<string> {
  const answers = new Map<number, Rows>()
  for (const { id, panel } of asked(spec))
    answers.set(id, await store.query({ sql: expand(panel.sql, selection), params: {} }))
  const clock = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
  const span = `${clock(selection.fromMs)} to ${clock(selection.toMs).slice(11)} UTC`
  return draw(spec, note === undefined ? span : `${note} · ${span}`, answers, selection)
}
