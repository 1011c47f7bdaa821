/**
 * `npm run soak`: a collector under mixed load with restarts of all that it depends on, a minute long; `-- --minutes 20`, `--records` and
 * `--hostile` a second. Ends with 1 when something is not accounted for, or grows.
 */
import { readUsage } from '../usage.ts'
import { soak } from './soak.ts'

const { values } = readUsage({
  name: 'soak',
  does: 'Runs a collector under mixed, partly hostile load, with restarts of all that it depends on, and balances what was sent with what was stored.',
  fails: 'something is not accounted for, or grows',
  options: {
    minutes: { value: 'n', doc: 'how long', default: 1 },
    records: { value: 'n', doc: 'a second, of exporters that are known', default: 2_000 },
    hostile: { value: 'n', doc: 'datagrams a second that mean harm', default: 200 },
  },
})
const { faults } = await soak({
  forMs: values.minutes * 60_000,
  records: values.records,
  hostile: values.hostile,
  say: (line) => console.log(line),
})
for (const fault of faults) console.log(`WRONG: ${fault}`)
if (faults.length > 0) process.exitCode = 1
else console.log('everything is accounted for')
