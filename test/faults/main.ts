/**
 * `npm run test:faults`: the store under every fault there is a name for, some minutes long. `-- --kills 5 --outage 10` for less.
 * Ends with 1 when a row is missing or doubled.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readUsage } from '../usage.ts'
import { kills } from './kills.ts'
import { serverFaults } from './server.ts'

const { values } = readUsage({
  name: 'test:faults',
  does: 'Kills the process that writes into the embedded store, and puts every fault there is a name for between a collector and a ClickHouse server.',
  fails: 'a row is missing or doubled',
  options: {
    kills: { value: 'n', doc: 'times that the writer is killed', default: 20 },
    outage: { value: 's', doc: 'how long the server is away', default: 60 },
  },
})
const directory = mkdtempSync(join(tmpdir(), 'ovsight-faults-'))
const say = (line: string) => console.log(line)
try {
  const blocks = await kills(directory, values.kills, say)
  console.log(`kills: ${blocks} blocks safe, all stored once, in records and sums`)
  const rows = await serverFaults(directory, values.outage * 1000, say)
  console.log(`server: ${rows} rows sent, all stored once, in records and sums`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
