/**
 * `npm run fuzz`: every target for a while. `npm run fuzz -- ipfix sflow5 --minutes 10` some of them, longer; `--seconds`, `--seed`. An input
 * that breaks a target is left in the directory as `crash-TARGET`, and the exit code is 1.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'
import { TARGETS } from './targets.ts'

const { values, positionals } = parseArgs({
  options: { minutes: { type: 'string' }, seconds: { type: 'string' }, seed: { type: 'string' } },
  allowPositionals: true,
})
const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name))
if (unknown.length > 0) {
  console.error(
    `nothing to fuzz is called ${unknown.join(', ')}; there are ${TARGETS.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}
const forMs =
  Number(values.minutes ?? 0) * 60_000 + Number(values.seconds ?? (values.minutes === undefined ? 10 : 0)) * 1000
const seed = Number(values.seed ?? Date.now() % 1_000_000)
console.log(`seed ${seed}, ${forMs / 1000} s each`)
for (const target of TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  const { fault, inputs, kept, blocks, worstUs, worst, grownBytes } = await fuzz(target, forMs, seed)
  console.log(
    `${target.name.padEnd(9)} ${String(inputs).padStart(9)} inputs, ${blocks} blocks, ${kept} kept, worst ${worstUs.toFixed(0)} µs ` +
      `(${worst.length} bytes), ${(grownBytes / 1024 ** 2).toFixed(1)} MiB`,
  )
  if (fault === undefined) continue
  writeFileSync(`crash-${target.name}`, fault.input)
  console.error(
    `${target.name}: ${fault.error.stack ?? fault.error.message}\n${fault.input.length} bytes in crash-${target.name}`,
  )
  process.exitCode = 1
}
