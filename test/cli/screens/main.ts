/**
 * `npm run screens`: how `top`, `watch` and `doctor` look in a terminal of 80 and of 160 columns, from real runs in one (tmux), written
 * to docs/screens.md. They read the capture `pcaps/ipfix`; `doctor` a collector that it was sent to, all of it as from one host.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PCAPS, ROOT } from '../../paths.ts'
import { collector, ovsight } from '../../e2e/cli.ts'
import { send, until } from '../../e2e/exports.ts'

const WIDTHS = [80, 160]
const HEIGHT = 45
/** The prompt that stands alone on its line when a command is done. */
const DONE = /\n\$ *\n*$/
const IDENTITY = `${PCAPS}ipfix/identity.yaml`

interface Screen {
  title: string
  about: string
  command: string
  /** What is on the screen when it is drawn. */
  drawn: RegExp
  data: string
}

const directory = mkdtempSync(join(tmpdir(), 'ovsight-screens-'))

/** What a terminal of this width shows after a command. */
async function shown({ title, command, drawn, data }: Screen, width: number): Promise<string> {
  const program = `ovsight() { ${process.execPath} ${ROOT}dist/src/main.js "$@"; }; export OVSIGHT_DATA=${data} PS1='$ '`
  // A server of its own: one that is killed takes a while to go.
  const socket = join(directory, `tmux-${title.split(' ')[1]}-${width}`)
  const tmux = (...words: string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...words], { encoding: 'utf8' })
  tmux('new-session', '-d', '-x', String(width), '-y', String(HEIGHT), 'sh')
  try {
    tmux('send-keys', `${program}; clear`, 'Enter')
    await sleep(500)
    tmux('send-keys', command, 'Enter')
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(200)) {
      const text = tmux('capture-pane', '-p')
      if (drawn.test(text)) return text.replace(DONE, '\n').replaceAll(/ +$/gm, '').trim()
    }
    throw new Error(`${command} at ${width} columns shows\n${tmux('capture-pane', '-p')}`)
  } finally {
    tmux('kill-server')
  }
}

const replayed = join(directory, 'replayed')
const received = join(directory, 'received')
const SCREENS: readonly Screen[] = [
  { title: 'ovsight top', about: '', command: 'ovsight top server', drawn: DONE, data: replayed },
  {
    title: 'ovsight watch',
    about:
      'Redrawn in place every two seconds; `g` changes the grouping, `s` what it is sorted by, `b` shows conversations, `?` lists all keys.\n\n',
    command: 'ovsight watch',
    drawn: /total .*[^]* UTC\n*$/,
    data: replayed,
  },
  { title: 'ovsight doctor', about: '', command: 'ovsight doctor', drawn: DONE, data: received },
]

try {
  await ovsight(['replay', '--identity', IDENTITY, '--data', replayed, `${PCAPS}ipfix/capture.pcap`])
  const alias = ['10', '14', '23'].flatMap((last) => ['--exporter-alias', `127.0.0.${last}=10.0.10.14`])
  const running = await collector(['--data', received, '--identity', IDENTITY, ...alias])
  await send('ipfix', running.port('IPFIX'))
  await until(
    'insertion',
    async () => (await (await fetch(`${running.url}/api/v1/exporters?last=1h`)).text()).length > 2,
  )
  const parts: string[] = []
  for (const screen of SCREENS) {
    const screens: string[] = []
    for (const width of WIDTHS) screens.push(`${width} columns:\n\n\`\`\`\n${await shown(screen, width)}\n\`\`\`\n`)
    parts.push(`## ${screen.title}\n\n${screen.about}${screens.join('\n')}`)
  }
  await running.stop()
  writeFileSync(
    `${ROOT}docs/screens.md`,
    `# Screens\n\nFrom real runs in a terminal of 80 and of 160 columns (\`npm run screens\`): the capture \`pcaps/ipfix\` of a three-node Open vSwitch cloud, replayed with its\nidentity file; for \`doctor\` sent to a running collector all of it as from one host, so that it has something to say.\n\n${parts.join('\n')}`,
  )
} finally {
  rmSync(directory, { recursive: true, force: true })
}
