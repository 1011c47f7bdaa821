import type { Command } from 'commander'
import { addOptions } from '../config/flags.ts'
import { AppError } from '../errors.ts'
import { checkTop, type Answer } from '../query/ask.ts'
import { ENTITY_NAMES } from '../query/dimensions.ts'
import { spanText } from '../query/span.ts'
import { parseDuration } from '../query/times.ts'
import type { Backend } from './backend.ts'
import type { CliContext, Keyboard } from './context.ts'
import { hasColour } from './output.ts'
import { between } from './plot.ts'
import { withBackend } from './questions.ts'
import { STORE_OPTIONS } from './store-config.ts'
import { layoutTable, shorten, wrapWords } from './table.ts'
import { topTable } from './top-table.ts'
import { beginning, KEYS, press, requestOf, SPANS, type WatchState } from './watch-state.ts'

const DESCRIPTION = [
  'ovsight top, live: asked again every few seconds and redrawn in place.',
  'Keys change what is shown: g the grouping, s what it is sorted by, b conversations, + and - the span, space stops, ? lists them all, ' +
    `q leaves. A DIMENSION is as in ovsight top: a column, or ${ENTITY_NAMES.join(', ')}.`,
].join('\n\n')

const EXAMPLES = `
Examples:
  $ ovsight watch                                      servers of the last 15 minutes
  $ ovsight watch project --by sent_bytes --last 1m
  $ ovsight watch server --filter 'project red' --every 5s`

const DEFAULT_EVERY = '2s'
/** Lines beside the table: two heads, the titles, other, total, the foot. */
const FRAME_LINES = 6

interface WatchOptions {
  by?: string
  filter?: string
  last?: string
  every: string
  bidirectional?: boolean
  config?: string
}

/** Declares `ovsight watch`. */
export function addWatch(program: Command, context: CliContext): void {
  const command = program
    .command('watch')
    .summary('top, live')
    .description(DESCRIPTION)
    .argument('[DIMENSION...]', 'what to group by')
    .option('--by <measure>', 'what to sort by (default bytes)')
    .option('--filter <filter>', 'which records, for example "project red and dst port 443"')
    .option('--last <span>', `the time until now: ${SPANS.join(', ')} (default 15m)`)
    .option('--bidirectional', 'both directions of a conversation in one row')
    .option('--every <span>', 'how often it is asked again', DEFAULT_EVERY)
  addOptions(command, STORE_OPTIONS)
    .addHelpText('after', EXAMPLES)
    .action(async (dimensions: string[], options: WatchOptions) => {
      const { state, everyMs } = readOptions(dimensions, options)
      checkTop(requestOf(state, options.filter, 10), context.now())
      const keyboard = context.stdin
      if (context.stdout.isTTY !== true || keyboard?.isTTY !== true)
        throw new AppError('usage', 'watch needs a terminal; ovsight top prints the same once')
      await withBackend(context, options, (backend) =>
        new Watch(context, backend, keyboard, options.filter, everyMs).run(state),
      )
    })
}

function readOptions(dimensions: string[], options: WatchOptions): { state: WatchState; everyMs: number } {
  const { by = 'bytes', last = '15m', every, bidirectional = false } = options
  const span = SPANS.findIndex((one) => one === last.trim())
  if (span < 0) throw new AppError('time_invalid', `--last is one of ${SPANS.join(', ')} here`)
  const everyMs = parseDuration(every.trim())
  if (everyMs === undefined || everyMs < 200)
    throw new AppError('time_invalid', `--every is no span of at least 200ms; write 2s`)
  return { state: beginning(dimensions, by, span, bidirectional), everyMs }
}

/** The lines of the screen: no more than it has, none wider. */
export function frame(
  state: WatchState,
  shown: { answer: Answer } | { fault: string } | undefined,
  size: { width: number; height: number },
): string[] {
  const { groupings, grouping, by, span, paused, bidirectional } = state
  const what = `top ${groupings[grouping]}${bidirectional ? ' --bidirectional' : ''} --by ${by} --last ${SPANS[span]}`
  const head = between(`ovsight ${what}`, paused ? 'stopped' : '? keys, q leaves', size.width)
  const body = state.help ? helpLines() : bodyLines(shown, by, size.width)
  const foot = shown !== undefined && 'answer' in shown ? spanText(shown.answer.span) : ''
  return [head, '', ...body.slice(0, size.height - 3), shorten(foot, size.width)].slice(0, size.height)
}

function bodyLines(shown: { answer: Answer } | { fault: string } | undefined, by: string, width: number): string[] {
  if (shown === undefined) return ['asking …']
  if ('fault' in shown) return [shorten(shown.fault, width)]
  const { answer } = shown
  const rows = answer.rows.filter((row) => row['row'] !== 'other' || row['records'] !== 0)
  const notes = answer.notes.flatMap((note) => wrapWords(note, width).map((line) => shorten(line, width)))
  return rows.length === 0 ? notes : [...layoutTable(topTable(answer, by, rows), width), ...notes]
}

function helpLines(): string[] {
  return Object.entries(KEYS)
    .filter(([, { doc }]) => doc !== '')
    .map(([key, { doc }]) => `  ${(key === ' ' ? 'space' : key).padEnd(6)} ${doc}`)
}

const ALTERNATE_SCREEN = '\u001B[?1049h\u001B[?25l'
const LEAVE_SCREEN = '\u001B[?25h\u001B[?1049l'
const HOME = '\u001B[H'
const CLEAR_LINE = '\u001B[K'
const CLEAR_BELOW = '\u001B[J'

/** Asks, draws, and listens to keys until one of them leaves. */
class Watch {
  private readonly context: CliContext
  private readonly backend: Backend
  private readonly keyboard: Keyboard
  private readonly filter: string | undefined
  private readonly everyMs: number
  private shown: { answer: Answer } | { fault: string } | undefined
  private wake: () => void = () => undefined

  constructor(context: CliContext, backend: Backend, keyboard: Keyboard, filter: string | undefined, everyMs: number) {
    this.context = context
    this.backend = backend
    this.keyboard = keyboard
    this.filter = filter
    this.everyMs = everyMs
  }

  async run(first: WatchState): Promise<void> {
    let state = first
    const listen = (keys: Buffer) => {
      for (const key of keys.toString()) state = press(state, key)
      this.draw(state)
      this.wake()
    }
    const { keyboard } = this
    keyboard.setRawMode(true)
    keyboard.on('data', listen)
    keyboard.resume()
    this.context.stdout.write(ALTERNATE_SCREEN)
    try {
      while (!state.leave) {
        const asked = state
        if (!state.paused) await this.ask(state)
        this.draw(state)
        // A key pressed meanwhile has changed the question.
        if (state === asked) await this.pause()
      }
    } finally {
      keyboard.off('data', listen)
      keyboard.setRawMode(false)
      keyboard.pause()
      this.context.stdout.write(LEAVE_SCREEN)
    }
  }

  private async ask(state: WatchState): Promise<void> {
    const rows = Math.max(1, this.size().height - FRAME_LINES)
    try {
      this.shown = { answer: await this.backend.top(requestOf(state, this.filter, rows)) }
    } catch (error) {
      // A collector that restarts, a store that is busy: it is asked again.
      if (!(error instanceof AppError) || (!error.retriable && error.code !== 'query_failed')) throw error
      this.shown = { fault: `${error.message} (${error.code})` }
    }
  }

  private draw(state: WatchState): void {
    const { stdout, env } = this.context
    const [head = '', ...lines] = frame(state, this.shown, this.size())
    const first = hasColour(stdout, env) ? `\u001B[7m${head}\u001B[27m` : head
    stdout.write(`${HOME}${[first, ...lines].map((line) => `${line}${CLEAR_LINE}`).join('\r\n')}${CLEAR_BELOW}`)
  }

  private size(): { width: number; height: number } {
    const { columns = 80, rows = 24 } = this.context.stdout
    return { width: Math.max(20, columns), height: Math.max(6, rows) }
  }

  /** Until it is time to ask again, or a key was pressed. */
  private pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.everyMs)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
