/** What the demo prints: headings, a sentence on what is seen, tables, and what to type next. */
import type { Config } from '../config/options.ts'
import { askTop, type Row, type TopRequest } from '../query/ask.ts'
import type { Collector } from './collector.ts'
import type { CliContext } from './context.ts'
import { CAPTURES, type DemoCapture, type Fed, interfaceCounters } from './demo-captures.ts'
import { writeTable } from './output.ts'
import type { TableColumn } from './table.ts'

/** Wide enough for the longest title of a capture. */
const TITLE_WIDTH = 20
/** The capture that the first answers are of. */
const IPFIX = CAPTURES[0]!

export class DemoReport {
  private readonly context: CliContext
  private readonly collector: Collector
  private readonly config: Config

  constructor(context: CliContext, collector: Collector, config: Config) {
    this.context = context
    this.collector = collector
    this.config = config
  }

  begin(): void {
    const { collector } = this
    const ports = [...collector.listeners].map(([input, { port }]) => `${input} ${port}`).join(', ')
    this.heading('ovsight demo: two tenants, the same addresses')
    this.say(
      `A collector listens on 127.0.0.1 (UDP ${ports}) and answers at ${collector.url ?? ''}.`,
      'It now gets real exports of Open vSwitch 3.1: three nodes, the tenants red and blue, and in both of them a',
      'server 192.168.10.8. The lab ran the same traffic four times, once with each way of exporting it.',
      '',
    )
  }

  sent(capture: DemoCapture, { datagrams, rows, ms }: Fed): void {
    const what = capture.input === undefined ? 'mirrored frames' : 'datagrams'
    this.say(
      `  ${capture.title.padEnd(TITLE_WIDTH)} ${grouped(datagrams).padStart(4)} ${what} → ${grouped(rows).padStart(3)} flow records, stored in ${(ms / 1000).toFixed(1)} s`,
    )
  }

  async answers(): Promise<void> {
    await this.projects()
    await this.sameAddress()
    await this.servers()
    await this.sources()
  }

  /** What each tenant moved. */
  private async projects(): Promise<void> {
    this.heading('Who talked: the tenants')
    this.say(
      'From the IPFIX run. A byte inside a tenant is sent by it and received by it, and counts once in the total.',
      '',
    )
    const rows = await this.top(['project'], IPFIX)
    this.table(
      [text('project', rows, 'project')],
      [
        bytes('sent', rows, 'sent_l2_bytes'),
        bytes('received', rows, 'received_l2_bytes'),
        bytes('each byte once', rows, 'l2_bytes'),
      ],
    )
  }

  /** The address that both tenants use. */
  private async sameAddress(): Promise<void> {
    this.heading('One address, two servers')
    this.say(
      'What 192.168.10.8 sent. The port at which a packet entered the bridge tells whose it is, never its address.',
      '',
    )
    const rows = await this.top(['src_addr', 'src_project', 'src_server', 'src_host'], IPFIX, 'src addr 192.168.10.8')
    this.table(
      [
        text('address', rows, 'src_addr'),
        text('project', rows, 'src_project'),
        text('server', rows, 'src_server'),
        text('host', rows, 'src_host'),
      ],
      [bytes('bytes', rows, 'l2_bytes'), bytes('packets', rows, 'packets')],
    )
  }

  /** Every server beside its own interface counters. */
  private async servers(): Promise<void> {
    this.heading('Is it true? Every server beside its own interface counters')
    this.say('Bytes of layer 2 from the IPFIX run, and what the kernel of the server itself counted meanwhile.', '')
    const rows = await this.top(['server'], IPFIX)
    const own = interfaceCounters(IPFIX)
    this.table(
      [text('project', rows, 'project'), text('server', rows, 'server')],
      [
        bytes('sent', rows, 'sent_l2_bytes'),
        counted('its own counter', rows, (row) => own.get(String(row['server']))?.sent),
        bytes('received', rows, 'received_l2_bytes'),
        counted('its own counter', rows, (row) => own.get(String(row['server']))?.received),
      ],
    )
    const pairs = rows.map((row) => [row, own.get(String(row['server']))] as const)
    const exact = pairs.filter(
      ([row, counters]) =>
        counters !== undefined &&
        counters.sent === row['sent_l2_bytes'] &&
        counters.received === row['received_l2_bytes'],
    ).length
    this.say('', `${exact} of ${rows.length} servers agree to the byte, in both directions.`)
  }

  /** The same question to all four ways of exporting. */
  private async sources(): Promise<void> {
    this.heading('The other ways of exporting')
    this.say(
      'What red-1 sent in each of the four runs (each run sent a little more or less), beside its own counter.',
      '',
    )
    const lines = await Promise.all(CAPTURES.map((capture) => this.sourceLine(capture)))
    this.table(
      [
        { title: 'source', cells: lines.map(({ title }) => title), weight: 1, keep: true },
        { title: 'red-1 sent', cells: lines.map(({ sent }) => grouped(sent)), align: 'right', weight: 1, keep: true },
        {
          title: 'its own counter',
          cells: lines.map(({ own }) => grouped(own)),
          align: 'right',
          weight: 1,
          keep: true,
        },
        { title: 'difference', cells: lines.map(difference), align: 'right', weight: 1, keep: true },
      ],
      [],
    )
    this.say(
      '',
      'NetFlow v5 has no ARP and no IPv6, so it is a little short. sFlow samples: the ± is its 95 % interval.',
      'A mirror sees whole frames, and needs no trust in what a switch says about them.',
    )
  }

  private async sourceLine(capture: DemoCapture): Promise<SourceLine> {
    const rows = await this.top(['server'], capture, 'project red')
    const row = rows.find(({ server }) => server === 'red-1')
    const own = interfaceCounters(capture).get('red-1')
    return {
      title: capture.title,
      sent: Number(row?.['sent_l2_bytes'] ?? 0),
      error: Number(row?.['sent_l2_bytes_error'] ?? 0),
      own: own?.sent ?? 0,
    }
  }

  next(once: boolean): void {
    const { url } = this.collector
    const data = `--data ${this.config.data}`
    this.heading(once ? 'To go on' : 'Go on')
    if (once) {
      this.say(
        'Run it without --once and ask the collector yourself, or take it to your own cloud:',
        '',
        '  npm run demo',
        '  npx ovsight collect --identity cloud.yaml',
        '',
      )
      return
    }
    this.say(
      'The collector goes on running until Ctrl-C. In another terminal:',
      '',
      `  npx ovsight top server ${data}`,
      `  npx ovsight top src_server dst_server --filter 'project blue' ${data}`,
      `  npx ovsight flows -n 5 ${data}`,
      `  curl '${url ?? ''}/api/v1/top?dimension=project'`,
      `  curl ${url ?? ''}/metrics`,
      '',
    )
  }

  private async top(dimensions: string[], capture: DemoCapture, filter?: string): Promise<readonly Row[]> {
    const of = `export_protocol ${capture.protocol}`
    const request: TopRequest = {
      dimensions,
      by: dimensions.some((name) => name.startsWith('src_')) ? 'l2_bytes' : 'sent_l2_bytes',
      filter: filter === undefined ? of : `${of} and ${filter}`,
      from: '1970-01-01',
    }
    return (await askTop(this.collector.store, request, this.context.now())).rows
  }

  private heading(title: string): void {
    const bold = this.context.stdout.isTTY === true && (this.context.env['NO_COLOR'] ?? '') === ''
    this.context.stdout.write(`\n${bold ? `\u001B[1m${title}\u001B[22m` : title}\n${'─'.repeat(title.length)}\n`)
  }

  private say(...lines: string[]): void {
    this.context.stdout.write(`${lines.join('\n')}\n`)
  }

  private table(left: TableColumn[], right: TableColumn[]): void {
    writeTable(this.context, [...left, ...right])
  }
}

interface SourceLine {
  title: string
  sent: number
  /** Half the 95 % interval, 0 when not sampled. */
  error: number
  own: number
}

function difference({ sent, own, error }: SourceLine): string {
  if (own === 0) return ''
  const percent = (100 * (sent - own)) / own
  const off = sent === own ? 'none' : `${percent > 0 ? '+' : '−'}${Math.abs(percent).toFixed(2)} %`
  return error === 0 ? off : `${off} (± ${((100 * error) / sent).toFixed(0)} %)`
}

function text(title: string, rows: readonly Row[], column: string): TableColumn {
  return { title, cells: rows.map((row) => String(row[column] ?? '')), weight: 1, keep: true }
}

function bytes(title: string, rows: readonly Row[], column: string): TableColumn {
  return counted(title, rows, (row) => Number(row[column] ?? 0))
}

function counted(title: string, rows: readonly Row[], value: (row: Row) => number | undefined): TableColumn {
  const cells = rows.map((row) => {
    const count = value(row)
    return count === undefined ? '' : grouped(count)
  })
  return { title, cells, align: 'right', weight: 1, keep: true }
}

function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
