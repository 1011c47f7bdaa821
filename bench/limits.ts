/**
 * Where the CPU of receiving goes, and what of it is the kernel's and the FFI's: for each kind of traffic five collectors side by side, each
 * going a step further than the one before (load/rungs.ts), drained in turn, with others' beside them. Takes minutes, so it runs only by name.
 *
 * With `--load NAME` only those whose name holds that. The least of several drains counts. What `receive` costs is the floor on this machine in this run: nothing that is done with the datagrams makes it less.
 */
import { slowReceiveReason } from '../src/receive/open.ts'
import type { Bench, Figure } from './figure.ts'
import { check, drainOnce, drained } from './load/drive.ts'
import { loads, type Load } from './load/loads.ts'
import { peersFor, startOwn, startPeer, type Subject } from './load/processes.ts'
import { RUNGS, type Rung } from './load/rungs.ts'
import { Sender } from './load/sender.ts'

/** Times that each is drained before code is compiled, and after. */
const DRAINS = { first: 4, counted: 5 }

interface Climber {
  /** Undefined for another collector. */
  rung: Rung | undefined
  subject: Subject
  sender: Sender
  /** CPU seconds a million records, of each drain. */
  costs: number[]
}

export const benchLimits: Bench = async ({ load: wanted = '' }) => {
  if (slowReceiveReason() !== '') return []
  const all = await loads()
  const some = all.filter(({ name }) => name.toLowerCase().includes(wanted.toLowerCase()))
  if (some.length === 0) throw new Error(`no load has ${wanted} in its name; there are ${all.map(({ name }) => name).join('; ')}`) // prettier-ignore
  const figures: Figure[] = []
  for (const load of some) if (load.input !== 'gre' || process.getuid?.() === 0) figures.push(...(await ladder(load))) // prettier-ignore
  return figures
}

async function ladder(load: Load): Promise<Figure[]> {
  const climbers: Climber[] = []
  // The kernel gives a mirrored frame to every raw socket: one after the other there.
  for (const rungs of load.input === 'gre' ? RUNGS.map((rung) => [rung]) : [RUNGS])
    climbers.push(...(await climbed(load, rungs, peersFor(load))))
  // What else the machine does can only add.
  const least = ({ costs }: Climber) => Math.min(...costs)
  const floor = least(climbers[0]!)
  return climbers.map((climber, i) => {
    const { rung, subject } = climber
    const cost = least(climber)
    if (rung === undefined) return { name: `${load.name}: ${subject.name}`, value: cost, unit: 'CPU s / M records' }
    const more = i === 0 ? cost : cost - least(climbers[i - 1]!)
    const whole = `${(cost / floor).toFixed(1)} times receiving alone`
    return {
      name: `${load.name}: ${i === 0 ? 'receive alone' : `and ${rung === 'all' ? 'encode, all of it' : rung}`}`,
      value: cost,
      unit: 'CPU s / M records',
      note: rung === 'receive' ? 'kernel and FFI' : `this step ${more.toFixed(2)}${rung === 'all' ? `; ${whole}` : ''}`,
    }
  })
}

/** Collectors that go so far, drained in turn. */
async function climbed(load: Load, rungs: readonly Rung[], peers: readonly string[] = []): Promise<Climber[]> {
  const climbers: Climber[] = []
  try {
    for (const rung of [...rungs, ...peers.map(() => undefined)]) {
      const subject = await (rung === undefined
        ? startPeer(peers[climbers.length - rungs.length]!)
        : startOwn(load, 1, rung))
      const sender = new Sender(load, subject.port)
      climbers.push({ rung, subject, sender, costs: [] })
      sender.begin(subject.port)
      await drained(subject)
    }
    for (let i = 0; i < DRAINS.first + DRAINS.counted; i++)
      for (const { subject, sender, costs } of climbers) {
        const { cpuS, datagrams } = await drainOnce(subject, sender)
        if (i >= DRAINS.first) costs.push((cpuS / (datagrams * load.records)) * 1e6)
      }
  } finally {
    for (const { rung, subject, sender } of climbers) {
      const { drops } = subject.queue()
      const counted = await subject.stop()
      sender.close()
      if (counted !== undefined) check(load, sender.sent, drops, counted, rung)
    }
  }
  return climbers
}
