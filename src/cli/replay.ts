import type { Command } from 'commander'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { type Config, type OptionName, SERVER_OPTIONS } from '../config/options.ts'
import { AppError } from '../errors.ts'
import type { IdentitySnapshot } from '../identity/snapshot/snapshot.ts'
import { buildPipeline } from '../pipeline/build.ts'
import { INPUTS, type Input } from '../pipeline/demultiplex.ts'
import { LearnedInterfaces } from '../pipeline/learned-names.ts'
import type { Pipeline } from '../pipeline/pipeline.ts'
import { Replay } from '../pipeline/replay.ts'
import { SideRows } from '../pipeline/side-rows.ts'
import { didYouMean } from '../query/nearest.ts'
import type { RowBlock } from '../schema/rows.ts'
import { openWriter } from '../store/open.ts'
import type { Writer } from '../store/writer.ts'
import { readCapture } from '../wire/capture.ts'
import { fileBytes } from '../wire/source.ts'
import type { CliContext } from './context.ts'
import { attributeBy, flowBlock, loadIdentity, logOf, openMigrated } from './engine.ts'
import { type Stored, held, replaySummary } from './replay-summary.ts'

/** Options that matter for a replay. */
const OPTIONS: readonly OptionName[] = [
  'data',
  ...SERVER_OPTIONS,
  'identity',
  'precedence',
  'exporter_alias',
  'ipfix_sampling',
  'mirror_active_timeout',
  'mirror_inactive_timeout',
  'mirror_flows',
  'mirror_tag_inserted',
  'log_level',
  'log_format',
]

/** Blocks are cut alike whatever the configuration, so that the same capture makes the same blocks. */
const BATCH_ROWS = 65_792

const PORTS: ReadonlyMap<number, Input> = new Map([
  [2055, 'netflow'],
  [4739, 'ipfix'],
  [6343, 'sflow'],
  [4789, 'vxlan'],
])

const DESCRIPTION = `Feeds the exports inside captures (pcap, pcapng) through the same path as live ones, at the capture's own times.

NetFlow, IPFIX, sFlow and VXLAN mirrors are known by their UDP destination ports, GRE mirrors by their protocol. A FILE of - is
standard input. A capture that was replayed into the same store before is not stored twice.`

const EXAMPLES = `
Examples:
  $ ovsight replay --identity cloud.yaml capture.pcap
  $ ovsight replay --port netflow=9995 old.pcap new.pcap
  $ tcpdump -i eth0 -w - udp port 4739 | ovsight replay -`

interface ReplayOptions extends Record<string, unknown> {
  config?: string
  port?: string[]
}

/** Declares `ovsight replay`. */
export function addReplay(program: Command, context: CliContext): void {
  const command = program
    .command('replay')
    .summary('store the exports inside captures')
    .description(DESCRIPTION)
    .argument('<FILE...>', 'captures; - is standard input')
    .option(
      '--port <input=port>',
      `a further UDP port, with what comes to it: ${INPUTS.filter((input) => input !== 'gre').join(', ')}`,
      (pair: string, before: string[] | undefined) => [...(before ?? []), pair],
    )
  addOptions(command, OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (files: string[], options: ReplayOptions) => {
      const ports = parsePorts(options.port ?? [])
      const flags = givenFlags(options, OPTIONS)
      const { config } = loadConfig({ flags, file: options.config, env: context.env })
      await replayCommand(files, ports, config, context)
    })
}

async function replayCommand(
  files: readonly string[],
  ports: ReadonlyMap<number, Input>,
  config: Config,
  context: CliContext,
): Promise<void> {
  const log = logOf(config, context)
  const identity = await loadIdentity(config, log)
  const store = await openMigrated(config)
  try {
    const before = await held(store)
    const spool = await openWriter(store, { data: config.data, spoolBytes: config.spool_max, log })
    const run = await replayInto(spool.writer, files, ports, config, identity)
    await spool.close(Infinity)
    const stored: Stored = { before, after: await held(store) }
    context.stdout.write(replaySummary(run, stored, config, store.name))
    finish(run.faults)
  } finally {
    await store.close()
  }
}

/** What a replay did. */
export interface ReplayRun {
  replay: Replay
  pipeline: Pipeline
  /** What ended a file early, by file. */
  faults: readonly { file: string; error: AppError }[]
}

/** Replays files into a writer; it has everything when this resolves. What ends a file early is in `faults`. */
export async function replayInto(
  writer: Writer,
  files: readonly string[],
  ports: ReadonlyMap<number, Input>,
  config: Config,
  identity: IdentitySnapshot,
): Promise<ReplayRun> {
  const names = new LearnedInterfaces()
  const built = buildPipeline(
    // Who may send is a question to the network; a capture is given by hand. It is short, so every reading of counters is kept.
    { ...config, allow: [], allow_hosts: false, interface_counters: 1 },
    {
      names,
      attribute: attributeBy(config, () => identity, { names }),
      emit: (block) => writer.enqueue(flowBlock(block, replay.token(block.rows))),
    },
    { batchRows: BATCH_ROWS, flushAfterMs: Infinity, maxBlocks: 2 },
  )
  const { pipeline } = built
  const side = new SideRows(built, { snapshot: () => identity }, Infinity)
  const keep = (blocks: readonly RowBlock[]) => {
    for (const block of blocks) void writer.enqueue({ ...block, token: replay.token(block.rows) })
  }
  const replay = new Replay(pipeline, ports, {
    onTick: (nowMs) => keep(side.tick(nowMs)),
    onEnd: () => keep(side.end()),
  })
  const faults: { file: string; error: AppError }[] = []
  for (const file of files) {
    try {
      await replay.run(readCapture(fileBytes(file)))
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      faults.push({ file, error })
    }
  }
  return { replay, pipeline, faults }
}

/** `netflow=9995` → 9995 is for NetFlow, beside the ports of the standards. */
export function parsePorts(pairs: readonly string[]): ReadonlyMap<number, Input> {
  const ports = new Map(PORTS)
  for (const pair of pairs) {
    const [, name = '', digits = ''] = /^(\w+)=(\d{1,5})$/.exec(pair) ?? []
    const known = INPUTS.filter((input) => input !== 'gre')
    const input = known.find((one) => one === name)
    const port = Number(digits)
    if (input === undefined || port < 1 || port > 65_535)
      throw new AppError(
        'usage',
        `--port ${JSON.stringify(pair.slice(0, 40))} is not input=port with one of ${known.join(', ')}${didYouMean(name, known)}`,
      )
    ports.set(port, input)
  }
  return ports
}

/** The worst of what went wrong, once everything sound is stored. */
function finish(faults: ReplayRun['faults']): void {
  const [first, ...rest] = faults
  if (first === undefined) return
  throw new AppError(first.error.code, `${first.file}: ${first.error.message}`, {
    cause: first.error,
    details: rest.map(({ file, error }) => `${file}: ${error.message}`),
  })
}
