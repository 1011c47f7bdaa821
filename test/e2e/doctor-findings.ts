/** What `ovsight doctor` says of a collector that runs. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Finding } from '../../src/cli/diagnose.ts'
import { within } from './cli.ts'

export async function findings(data: string, more: readonly string[] = []): Promise<Finding[]> {
  const { code, stdout, stderr } = await within(['doctor', '--data', data, '-f', 'json', '--last', '1h', ...more])
  assert.ok(code === 0 || code === 11, `${code} ${stderr}`)
  return JSON.parse(stdout) as Finding[]
}

export interface Findings {
  readonly all: readonly Finding[]
  /** What mends it. */
  readonly mend: (what: RegExp) => string
}

/** The findings, asked for again until every wanted sentence is among them. */
export async function wantedFindings(
  data: string,
  sentences: readonly RegExp[],
  more: readonly string[] = [],
): Promise<Findings> {
  let all: Finding[] = []
  for (let tries = 0; tries < 24; tries++) {
    all = await findings(data, more)
    if (sentences.every((sentence) => all.some(({ what }) => sentence.test(what)))) break
    await sleep(500)
  }
  const missing = sentences.filter((sentence) => !all.some(({ what }) => sentence.test(what)))
  assert.deepEqual(missing, [], JSON.stringify(all, null, 1))
  return { all, mend: (what) => all.find((one) => what.test(one.what))?.mend ?? '' }
}
