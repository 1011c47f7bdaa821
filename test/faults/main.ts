/**
 * `npm run test:faults`: the store under every fault there is a name for, some minutes long. `-- --kills 5 --outage 10` for less.
 * Ends with 1 when a row is missing or doubled.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { kills } from './kills.ts'
import { serverFaults } from './server.ts'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '20' }, outage: { type: 'string', default: '60' } },
})
const directory = mkdtempSync(join(tmpdir(), 'ovsight-faults-'))
const say = (line: string) => console.log(line)
try {
  const blocks = await kills(directory, Number(values.kills), say)
  console.log(`kills: ${blocks} blocks safe, all stored once, in records and sums`)
  const rows = await serverFaults(directory, Number(values.outage) * 1000, say)
  console.log(`server: ${rows} rows sent, all stored once, in records and sums`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
