/** `npm run lab`: the lab for people. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { checkLab } from './check.ts'
import { COLLECTOR, NODES } from './cloud.ts'
import { EXPORT_DEFAULTS, EXPORT_KINDS, exportsInForce, switchOff, switchOn, type ExportKind, type ExportOptions } from './exports.ts' // prettier-ignore
import { down, isUp, status, up } from './lab.ts'
import { injectLoss, lossSoFar, stopLoss } from './loss.ts'
import { MIRROR_TYPES, mirrorInForce, mirrorOff, mirrorOn, type MirrorType } from './mirror.ts'
import { measure, record } from './record.ts'
import { truthText } from './traffic.ts'

const count = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('not a whole number.')
  return value
}
const list = (text: string): string[] => text.split(',')

const requireUp = (): void => {
  if (!isUp()) throw new Error('the lab is down; npm run lab up')
}

const program = new Command('lab').description(
  'Three Open vSwitch nodes, two projects with the same addresses, routers, floating IPs and an outside host, in network namespaces.',
)

program
  .command('up')
  .description('build it; nothing is done when it stands')
  .action(() => {
    up()
    console.log(status())
  })

program.command('down').description('remove everything, also after a crash').action(down)

program
  .command('status')
  .description('what runs and what is exported')
  .action(() => {
    console.log(status())
    if (isUp()) console.log([...exportsInForce(), mirrorInForce()].join('\n'))
  })

program
  .command('check')
  .description('who reaches whom, and under which address')
  .action(async () => {
    requireUp()
    const findings = await checkLab()
    for (const { what, ok } of findings) console.log(`${ok ? 'ok  ' : 'FAIL'} ${what}`)
    if (!findings.every((each) => each.ok)) process.exitCode = 1
  })

type Kinds = ExportKind | 'all' | 'off'

/** A command whose first argument says what to export, with the options of all kinds. */
const exportCommand = (name: string): Command =>
  program
    .command(name)
    .addArgument(new Argument('<kind>').choices([...EXPORT_KINDS, 'all', 'off']))
    .option('--bridges <names>', 'br-int,br-tun,br-ex,br-phy', list, [...EXPORT_DEFAULTS.bridges])
    .option('--nodes <names>', NODES.map((node) => node.name).join(','), list, [...EXPORT_DEFAULTS.nodes])
    .option('--sampling <n>', 'IPFIX and sFlow: one in n packets', count, EXPORT_DEFAULTS.sampling)
    .option('--active-timeout <s>', 'NetFlow', count, EXPORT_DEFAULTS.activeTimeout)
    .addOption(new Option('--engine <id>', 'NetFlow').choices(['bridge', 'default']).default(EXPORT_DEFAULTS.engine))
    .option('--cache-timeout <s>', 'IPFIX; 0 sends each sample', count, EXPORT_DEFAULTS.cacheTimeout)
    .option('--cache-flows <n>', 'IPFIX', count, EXPORT_DEFAULTS.cacheFlows)
    .option('--template-interval <s>', 'IPFIX, Open vSwitch 3.2 and later', count)
    .option('--polling <s>', 'sFlow', count, EXPORT_DEFAULTS.polling)
    .option('--header <bytes>', 'sFlow', count, EXPORT_DEFAULTS.header)

/** Switches the kinds on; with `off`, all off. */
const apply = (kinds: Kinds, options: ExportOptions) => (): void => {
  if (kinds === 'off') for (const kind of EXPORT_KINDS) switchOff(kind)
  else for (const kind of kinds === 'all' ? EXPORT_KINDS : [kinds]) switchOn(kind, options)
}

exportCommand('export')
  .description(`send exports to the collector ${COLLECTOR.address}`)
  .action((kinds: Kinds, options: ExportOptions) => {
    requireUp()
    apply(kinds, options)()
    console.log(exportsInForce().join('\n'))
  })

exportCommand('record')
  .description(
    'switch exports on, run the traffic, and keep capture, truth and OVSDB dumps as a folder like those of pcaps/',
  )
  .argument('<folder>')
  .option('--factor <n>', 'multiply the bytes of the traffic', count, 1)
  .action(async (kinds: Kinds, folder: string, options: ExportOptions & { factor: number }) => {
    requireUp()
    apply('off', options)()
    const truth = await record(folder, {
      factor: options.factor,
      begin: apply(kinds, options),
      flushMs: flushMs(options),
    })
    process.stdout.write(truthText(truth))
  })

const flushMs = ({ cacheTimeout }: ExportOptions): number => cacheTimeout * 1000 + 2000

program
  .command('mirror')
  .description("copy one machine's frames to the collector; `off` ends it")
  .argument('<machine>', 'r8, r9, b8, …, or off')
  .addOption(new Option('--type <tunnel>', 'encapsulation').choices(MIRROR_TYPES).default('gre'))
  .option('--key <n>', 'GRE key, ERSPAN session or VNI', count)
  .action((machine: string, options: { type: MirrorType; key?: number }) => {
    requireUp()
    mirrorOff()
    if (machine !== 'off') mirrorOn(machine, options.type, options.key)
    console.log(mirrorInForce())
  })

program
  .command('traffic')
  .description("run the known traffic and print what the machines' interfaces counted")
  .option('--factor <n>', 'multiply the bytes', count, 1)
  .action(async ({ factor }: { factor: number }) => {
    requireUp()
    process.stdout.write(truthText(await measure({ factor })))
  })

program
  .command('loss')
  .description('lose a share of the export datagrams before the collector; `show` counts, `off` ends it')
  .addArgument(new Argument('<kind>').choices([...EXPORT_KINDS, 'all', 'show', 'off']))
  .option('--percent <n>', 'share', count, 10)
  .option('--exact', 'every (100/percent)th in place of a draw for each', false)
  .action((kind: ExportKind | 'all' | 'show' | 'off', options: { percent: number; exact: boolean }) => {
    requireUp()
    if (kind === 'off') stopLoss()
    else if (kind !== 'show') injectLoss(kind === 'all' ? EXPORT_KINDS : [kind], options.percent, !options.exact)
    for (const each of lossSoFar()) console.log(`${each.kind}: ${each.lost} of ${each.datagrams} datagrams lost`)
  })

try {
  await program.parseAsync()
} catch (error) {
  console.error(`lab: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
