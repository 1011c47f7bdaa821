/**
 * `npm run bench`: what this machine does, beside the figures to reach. `npm run bench -- pipeline sflow` runs some, and
 * `growth`, `limits`, `sustained`, `panels` and `history`, which take minutes, only so (`history --rows 10000000 --days 30`, `sustained --rate 250000 --load ipfix`, `limits --load 'NetFlow v5'`);
 * `--json FILE` writes them down as well. A figure that is missed is marked; a wrong answer (rows sent and stored differ) ends it with status 1,
 * after the other benches.
 */
import { writeFileSync } from 'node:fs'
import { benchAttribute } from './attribute.ts'
import { benchDecode } from './decode.ts'
import type { Bench, Figure } from './figure.ts'
import { benchGrowth } from './growth.ts'
import { benchHistory } from './history.ts'
import { benchIdentity } from './identity.ts'
import { benchLimits } from './limits.ts'
import { benchLate } from './late.ts'
import { benchPanels } from './panels.ts'
import { benchPipeline } from './pipeline.ts'
import { benchReceive } from './receive.ts'
import { figureTable, machine, reached } from './report.ts'
import { benchSflow } from './sflow.ts'
import { benchStart } from './start.ts'
import { benchStore } from './store.ts'
import { benchSustained } from './sustained.ts'
import { readUsage } from '../test/usage.ts'

const BENCHES: Readonly<Record<string, Bench>> = {
  decode: benchDecode,
  sflow: benchSflow,
  attribute: benchAttribute,
  identity: benchIdentity,
  late: benchLate,
  store: benchStore,
  pipeline: benchPipeline,
  receive: benchReceive,
  start: benchStart,
}
/** Those that take minutes run when they are named. */
const LONG: Readonly<Record<string, Bench>> = {
  growth: benchGrowth,
  history: benchHistory,
  limits: benchLimits,
  panels: benchPanels,
  sustained: benchSustained,
}
const ALL = { ...BENCHES, ...LONG }

const { values, words } = readUsage({
  name: 'bench',
  does: 'Measures what this machine does, beside the figures to reach; those that are missed are marked.',
  fails: 'an answer was wrong: rows sent and stored differ',
  options: {
    json: { value: 'file', text: true, doc: 'write the figures down as well' },
    rows: { value: 'n', doc: 'of history' },
    days: { value: 'n', doc: 'of history' },
    rate: { value: 'n', doc: 'records a second of sustained' },
    load: { value: 'name', text: true, doc: 'protocol of sustained' },
  },
  words: {
    name: 'bench',
    doc: `${Object.keys(BENCHES).join(', ')}; all of them when none is named. Only by name, since they take minutes: ${Object.keys(LONG).join(', ')}`,
  },
})
const options = {
  ...(values.rows === undefined ? {} : { rows: values.rows }),
  ...(values.days === undefined ? {} : { days: values.days }),
  ...(values.rate === undefined ? {} : { rate: values.rate }),
  ...(values.load === undefined ? {} : { load: values.load }),
}
for (const name of ['rows', 'days', 'rate'] as const)
  if (options[name] !== undefined && !(options[name] > 0 && options[name] < Infinity)) {
    console.error(`--${name} ${values[name]} is no number above 0`)
    process.exit(2)
  }
const unknown = words.filter((name) => ALL[name] === undefined)
if (unknown.length > 0) {
  console.error(`no bench is called ${unknown.join(', ')}; there are ${Object.keys(ALL).join(', ')}`)
  process.exit(2)
}

const here = machine()
for (const [what, value] of Object.entries(here)) console.log(`${what.padEnd(8)} ${value}`)
const results: Record<string, readonly Figure[]> = {}
for (const name of words.length > 0 ? words : Object.keys(BENCHES)) {
  console.log(`\n${name}`)
  try {
    const figures = await ALL[name]!(options)
    results[name] = figures
    console.log(figureTable(figures))
  } catch (error) {
    // A bench checks what it measures: no figure of a wrong answer.
    process.exitCode = 1
    console.error(`WRONG ${name}:`, error)
  }
}
const all = Object.values(results).flat()
const missed = all.filter((figure) => !reached(figure))
console.log(
  `\n${all.filter(({ target }) => target !== undefined).length - missed.length} targets reached, ${missed.length} missed`,
)
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine: here, at: new Date().toISOString(), figures: results }, undefined, 2)}\n`,
  )
