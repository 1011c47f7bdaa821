/**
 * `npm run soak`: a collector under mixed load with restarts of all that it depends on, a minute long; `-- --minutes 20`, `--records` and
 * `--hostile` a second. Ends with 1 when something is not accounted for, or grows.
 */
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    records: { type: 'string', default: '2000' },
    hostile: { type: 'string', default: '200' },
  },
})
const { faults } = await soak({
  forMs: Number(values.minutes) * 60_000,
  records: Number(values.records),
  hostile: Number(values.hostile),
  say: (line) => console.log(line),
})
for (const fault of faults) console.log(`WRONG: ${fault}`)
if (faults.length > 0) process.exitCode = 1
else console.log('everything is accounted for')
