/** A main thread for watchdog.test.ts: `restart` and `report` stop turning, `sound` goes on for a while. */
import { watchMain } from '../../src/pipeline/main-watch.ts'

const [, , how] = process.argv

function turnsNoMore(forMs: number): void {
  for (const end = Date.now() + forMs; Date.now() < end;);
}

const end = watchMain(1_500, how === 'restart')
setTimeout(() => {
  if (how !== 'sound') turnsNoMore(how === 'restart' ? 60_000 : 3_000)
  setTimeout(() => void end().then(() => process.exit(0)), how === 'sound' ? 2_500 : 100)
}, 200)
