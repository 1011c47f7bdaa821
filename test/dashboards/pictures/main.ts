/**
 * Draws docs/pictures: `npm run pictures`. Every dashboard, its questions answered by the real engine, which holds the bundled captures; for
 * Isolation and Telemetry health also the made-up trouble of cloud.ts.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { DASHBOARDS } from '../../../dashboards/all.ts'
import { ROOT } from '../../paths.ts'
import { RED, RED_1, RED_NET, SPAN, TROUBLE, openCloud } from '../cloud.ts'
import type { Selection } from '../expand.ts'
import { pictureOf } from './picture.ts'

const VARIABLES = { project: RED, server: RED_1, port: '$__all', network: RED_NET, host: '$__all', search: '' }
interface Own extends Partial<Selection> {
  /** With the made-up rows of cloud.ts. */
  trouble?: true
  note: string
}

/** What differs: Conversations shows all projects, Isolation is dull without trouble. */
const OWN: Readonly<Record<string, Own>> = {
  tenant: { note: 'project red' },
  server: { note: 'red-1' },
  network: { note: 'net1 (red), all hosts' },
  conversations: { variables: { project: '$__all' }, note: 'all projects' },
  isolation: { trouble: true, fromMs: TROUBLE.fromMs, toMs: TROUBLE.toMs, intervalS: 60, note: 'made-up trouble' },
  health: {
    trouble: true,
    toMs: TROUBLE.toMs,
    intervalS: 60,
    note: 'captures, then made-up loss; the collector is made up',
  },
}

const real = await openCloud({ trouble: false })
const troubled = await openCloud()
mkdirSync(`${ROOT}docs/pictures`, { recursive: true })
try {
  for (const spec of DASHBOARDS) {
    const own = OWN[spec.name]
    const engine = own?.trouble === true ? troubled : real
    const selection = {
      fromMs: own?.fromMs ?? SPAN.fromMs,
      toMs: own?.toMs ?? SPAN.toMs,
      intervalS: own?.intervalS ?? 5,
      variables: { ...VARIABLES, ...own?.variables },
    }
    writeFileSync(`${ROOT}docs/pictures/${spec.name}.svg`, await pictureOf(engine.store, spec, selection, own?.note))
  }
} finally {
  await real.close()
  await troubled.close()
}
