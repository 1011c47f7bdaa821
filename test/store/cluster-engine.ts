/** One shard of cluster-front.ts: started with its number and how many there are, told what to do by messages. */
import { rmSync } from 'node:fs'
import { type Ask, type Told, asOneServer, serverConfig } from './cluster-front.ts'
import { inTurn, openFront } from './clickhouse-front.ts'
import { openEngine } from './engine.ts'

const REPLICAS = 2

const [shard, shards] = process.argv.slice(2).map(Number)
const engine = await openEngine(serverConfig(shard!, shards!))
const fronts = await Promise.all(Array.from({ length: REPLICAS }, () => openFront(engine.session, engine.directory)))
const tell = (told: Told) => process.send!(told)
const spreading = new Map<number, () => void>()
let ids = 0

for (const front of fronts)
  front.rewrite = async (query) => {
    const { sql, everywhere } = asOneServer(query)
    if (everywhere)
      await new Promise<void>((done) => {
        spreading.set(++ids, done)
        tell({ say: 'spread', sql, id: ids })
      })
    return sql
  }

process.on('message', (ask: Ask) => {
  if (ask.do === 'spread') return spreading.get(ask.id)?.()
  answer(ask).then(
    (found) => tell({ say: 'done', id: ask.id, answer: found }),
    (error: Error) => tell({ say: 'done', id: ask.id, error: error.message }),
  )
})
process.on('disconnect', () => {
  rmSync(engine.directory, { recursive: true, force: true })
  process.kill(process.pid, 'SIGKILL')
})
tell({ say: 'open', urls: fronts.map(({ url }) => url) })

async function answer(ask: Exclude<Ask, { do: 'spread' }>): Promise<unknown> {
  if (ask.do === 'set') fronts[ask.replica]!.fault = () => (ask.up ? undefined : 'cut-before')
  else if (ask.do === 'inserts')
    return fronts.map(({ queries }) => queries.filter((query) => query.startsWith('INSERT')).length)
  else if (ask.do === 'rows') return inTurn(engine.session, () => engine.rows(ask.sql))
  else await inTurn(engine.session, () => engine.run(ask.sql))
  return undefined
}
