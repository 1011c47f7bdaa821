/** One node's own Open vSwitch: database server and switch daemon in the node's namespace, userspace datapath. */
import { mkdirSync, readFileSync } from 'node:fs'
import { OVSDB_PORT, type Node } from './cloud.ts'
import { PROMPT, run, within } from './shell.ts'
import { waitFor } from './wiring.ts'

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema'
const DAEMONS = ['ovs-vswitchd', 'ovsdb-server']

const environment = (node: Node) => ({
  OVS_RUNDIR: node.dir,
  OVS_LOGDIR: node.dir,
  OVS_DBDIR: node.dir,
  OVS_SYSCONFDIR: node.dir,
})

export const vsctl = (node: Node, ...args: string[]): string =>
  run(['ovs-vsctl', '--timeout=20', `--db=unix:${node.dir}/db.sock`, ...args], { env: environment(node) })

export const ofctl = (node: Node, args: string[], input = ''): string =>
  run(['ovs-ofctl', ...args], { env: environment(node), input })

export const appctl = (node: Node, ...args: string[]): string =>
  run(['ovs-appctl', ...args], { env: environment(node), timeoutMs: 60_000 })

/** Every table as `ovsdb-client dump` gives it, the form in which operators save it. */
export const dumpDatabase = (node: Node): string =>
  run(['ovsdb-client', '--format=json', 'dump', `unix:${node.dir}/db.sock`, 'Open_vSwitch'])

/** Version of Open vSwitch and whether the schema's table has this column. */
export const hasColumn = (node: Node, table: string, column: string): boolean =>
  run(['ovsdb-client', 'list-columns', `unix:${node.dir}/db.sock`, 'Open_vSwitch', table]).includes(`${column} `)

export function startOpenVSwitch(node: Node): void {
  mkdirSync(node.dir, { recursive: true })
  run(['ovsdb-tool', 'create', `${node.dir}/conf.db`, SCHEMA])
  daemon(node, 'ovsdb-server', `--remote=punix:${node.dir}/db.sock`, '--remote=db:Open_vSwitch,Open_vSwitch,manager_options', `${node.dir}/conf.db`) // prettier-ignore
  vsctl(node, '--no-wait', 'init')
  // Fewer threads than cores would give: three nodes share this machine.
  vsctl(node, '--no-wait', 'set', 'Open_vSwitch', '.', `external_ids:hostname=${node.name}`, 'other_config:n-handler-threads=1', 'other_config:n-revalidator-threads=1') // prettier-ignore
  daemon(node, 'ovs-vswitchd', '--disable-system', `unix:${node.dir}/db.sock`)
  vsctl(node, 'set-manager', `ptcp:${OVSDB_PORT}`)
}

function daemon(node: Node, program: string, ...args: string[]): void {
  const files = [`--pidfile=${node.dir}/${program}.pid`, `--log-file=${node.dir}/${program}.log`]
  run(within(node.namespace, ...PROMPT, program, ...files, '--detach', '--no-chdir', '-vconsole:off', ...args), {
    env: environment(node),
  })
}

/** Process id of a running daemon of this node, from its pid file. */
function runningPid(node: Node, program: string): number | undefined {
  const file = `${node.dir}/${program}.pid`
  const pid = Number(readOrNothing(file))
  // The pid may have gone to another program after a crash, or be a dead child that nobody has waited for.
  return pid > 0 && RUNNING.exec(readOrNothing(`/proc/${pid}/stat`))?.[1] === program ? pid : undefined
}

/** A file that may go at any moment. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** proc(5): `pid (comm) state …`; Z is a zombie. */
const RUNNING = /^\d+ \((.*)\) [^ZX] /

export const isRunning = (node: Node): boolean => DAEMONS.every((program) => runningPid(node, program) !== undefined)

/** Ends both daemons; with neither running it does nothing. */
export function stopOpenVSwitch(node: Node): void {
  for (const program of DAEMONS) {
    const pid = runningPid(node, program)
    if (pid === undefined) continue
    process.kill(pid, 'SIGTERM')
    if (!waitFor(() => runningPid(node, program) === undefined, 3000)) process.kill(pid, 'SIGKILL')
  }
}
