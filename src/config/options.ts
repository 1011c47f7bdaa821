import type { OPTION_TYPES, Fault, OptionTypeName } from './types.ts'

const DAY_MS = 86_400_000

/**
 * THE table of options. An option `netflow_port` is `--netflow-port` on the command line, `OVSIGHT_NETFLOW_PORT` in the
 * environment and `netflow_port:` in the YAML file. Validation, `--help`, `show config` and docs/configuration.md follow from it.
 */
export const OPTIONS = {
  user: {
    group: 'Process',
    type: 'text',
    default: null,
    doc: 'User to become, `NAME` or `NAME:GROUP`, when all sockets are open and before anything else is: a collector started by root gives root up. Files that are read again at a reload must be readable for it. A service has `User=` in its unit instead.',
  },
  stop_timeout: {
    group: 'Process',
    live: true,
    type: 'duration',
    default: 20_000,
    min: 1_000,
    max: 600_000,
    doc: 'How long a collector that is told to stop may write what it holds; then it ends whatever is left, with code 1. What is in the spool is stored at the next start.',
  },
  watchdog: {
    group: 'Process',
    type: 'duration',
    default: 30_000,
    min: 0,
    max: 3_600_000,
    doc: 'A thread that does not turn for this long is stuck: it is named in the log, and `watchdog_action` says what is done. `0s` = nobody watches. Under systemd with `WatchdogSec=` systemd watches the process as well.',
  },
  watchdog_action: {
    group: 'Process',
    type: 'text',
    oneOf: ['restart', 'report'],
    default: 'restart',
    doc: 'What is done with a thread that is stuck: `restart` puts another in the place of a worker, and ends the process when the main thread is stuck, so that systemd starts it again; `report` writes it down and no more.',
  },
  bind: {
    group: 'Listeners',
    type: 'address',
    default: '0.0.0.0',
    doc: 'Address on which exports and mirrored frames are received.',
  },
  netflow_port: {
    group: 'Listeners',
    type: 'port',
    default: 2055,
    doc: 'UDP port for NetFlow v5 and v9; IPFIX sent here is understood too.',
  },
  ipfix_port: {
    group: 'Listeners',
    type: 'port',
    default: 4739,
    doc: 'UDP port for IPFIX; NetFlow v5 and v9 sent here are understood too.',
  },
  sflow_port: { group: 'Listeners', type: 'port', default: 6343, doc: 'UDP port for sFlow v5.' },
  vxlan_port: { group: 'Listeners', type: 'port', default: 4789, doc: 'UDP port for frames mirrored through VXLAN.' },
  gre: {
    group: 'Listeners',
    type: 'flag',
    default: true,
    doc: 'Receive frames mirrored through GRE and ERSPAN (IP protocol 47). Needs CAP_NET_RAW; without it ovsight warns and goes on.',
  },
  receiver: {
    group: 'Listeners',
    type: 'text',
    oneOf: ['auto', 'koffi', 'dgram'],
    default: 'auto',
    doc: 'How datagrams are received: `koffi` takes up to 256 in one system call (Linux), `dgram` is portable, `auto` takes what works.',
  },
  receive_buffer: {
    group: 'Listeners',
    type: 'bytes',
    default: 16 * 1024 ** 2,
    min: 65_536,
    doc: 'Kernel receive buffer asked for on each socket; ovsight warns when the kernel grants less.',
  },
  workers: {
    group: 'Listeners',
    type: 'count',
    unit: 'threads',
    default: 0,
    max: 64,
    doc: 'Threads that receive, decode and attribute; exporters are dealt to them by address. 1 = the main thread does it, 0 = one less than there are cores, 8 at most. Needs the receiver `koffi`.',
  },
  exporter_alias: {
    group: 'Listeners',
    type: 'aliases',
    default: [],
    doc: 'Source addresses to be taken for another exporter, for exports that come through address translation.',
  },
  allow: {
    group: 'Listeners',
    live: true,
    type: 'networks',
    default: [],
    doc: 'Addresses and networks that may send; datagrams of all others are counted and dropped before anything is kept of them, by the kernel where it can (some two hundred networks, `allow_hosts` off). None: everybody may, unless `allow_hosts` is on.',
  },
  allow_hosts: {
    group: 'Listeners',
    live: true,
    type: 'flag',
    default: false,
    doc: 'Hosts of the model of the cloud may send, and nobody else who is not in `allow`. While the model is empty they may not.',
  },
  http_bind: { group: 'HTTP', type: 'address', default: '127.0.0.1', doc: 'Address of the HTTP API.' },
  http_port: { group: 'HTTP', type: 'port', default: 8080, doc: 'TCP port of the HTTP API.' },
  http_auth: {
    group: 'HTTP',
    type: 'text',
    oneOf: ['auto', 'on', 'off'],
    default: 'auto',
    doc: 'Whether the API wants tokens (`ovsight token create`, or of Keystone where `os_cloud` is given): `auto` wants them unless `http_bind` is an address of this machine alone.',
  },
  http_requests: {
    group: 'HTTP',
    live: true,
    type: 'count',
    unit: 'a minute',
    default: 600,
    min: 1,
    max: 1_000_000,
    doc: 'Requests that each token may make where tokens are wanted; beyond it the answer is 429 with `retry-after`.',
  },
  http_connections: {
    group: 'HTTP',
    type: 'count',
    unit: 'connections',
    default: 1_000,
    min: 1,
    max: 100_000,
    doc: 'Connections to the API at a time; further ones are closed at once and counted.',
  },
  api_tls_cert: {
    group: 'HTTP',
    live: true,
    type: 'path',
    default: null,
    doc: 'Certificate (PEM, with those of authorities between) of the HTTP API, which then speaks TLS 1.2 or later alone. Read again at a reload.',
  },
  api_tls_key: {
    group: 'HTTP',
    live: true,
    type: 'path',
    default: null,
    doc: 'Its private key (PEM, without a password).',
  },
  clickhouse_tls: {
    group: 'HTTP',
    type: 'flag',
    default: false,
    doc: '`clickhouse_port` speaks TLS too, with the certificate of the API.',
  },
  clickhouse_port: {
    group: 'HTTP',
    type: 'port',
    default: null,
    doc: "TCP port of 127.0.0.1 on which the embedded store answers ClickHouse's HTTP interface, read-only and without login, for Grafana, curl and ClickHouse's clients; 8123 is theirs. `off` = not at all.",
  },
  data: {
    group: 'Store',
    type: 'path',
    default: './ovsight-data',
    doc: 'Data directory: the embedded store, the spool, and the note that a collector runs.',
  },
  clickhouse: {
    group: 'Store',
    type: 'urls',
    default: null,
    secret: true,
    doc: 'ClickHouse server to use in place of the embedded store, `http://user:password@host:8123/database`; several that hold the same, or the servers of a cluster, with commas: one that fails is left out until it is back.',
  },
  clickhouse_cluster: {
    group: 'Store',
    seldom: true,
    type: 'text',
    default: null,
    doc: 'Cluster of the ClickHouse servers (`system.clusters`) over whose shards the tables are spread, see docs/scale.md. Each URL of `clickhouse` must be one server then, not a balancer.',
  },
  clickhouse_user: {
    group: 'Store',
    seldom: true,
    type: 'text',
    default: null,
    doc: 'User at the ClickHouse server where the URL names none; else CLICKHOUSE_USER, else `default`.',
  },
  clickhouse_password_file: {
    group: 'Store',
    seldom: true,
    type: 'path',
    default: null,
    doc: 'File whose first line is the password where the URL has none; else CLICKHOUSE_PASSWORD.',
  },
  clickhouse_ca: {
    group: 'Store',
    seldom: true,
    type: 'path',
    default: null,
    doc: "Certificates (PEM) to believe at https in place of the system's.",
  },
  clickhouse_cert: {
    group: 'Store',
    seldom: true,
    type: 'path',
    default: null,
    doc: 'Certificate (PEM) to show the ClickHouse server.',
  },
  clickhouse_key: { group: 'Store', seldom: true, type: 'path', default: null, doc: 'Its key (PEM).' },
  clickhouse_insecure: {
    group: 'Store',
    seldom: true,
    type: 'flag',
    default: false,
    doc: 'Believe any certificate: whoever is on the way can read and change everything.',
  },
  url: {
    group: 'Questions',
    type: 'url',
    default: null,
    secret: true,
    doc: 'A collector to ask, wherever it runs, in place of the one or the store on `data`: `https://flows.example.org`. `--data` or `--clickhouse` on the command line go before one that is not named there.',
  },
  token: {
    group: 'Questions',
    type: 'text',
    default: null,
    secret: true,
    doc: 'Token for it, see `ovsight token`. On the command line everybody on the machine sees it: better `OVSIGHT_TOKEN`, or `token_file`.',
  },
  token_file: {
    group: 'Questions',
    type: 'path',
    default: null,
    doc: 'File with the token for it, and nothing else.',
  },
  spool_max: {
    group: 'Store',
    type: 'bytes',
    default: 4 * 1024 ** 3,
    min: 16 * 1024 ** 2,
    doc: 'Disk space for flows that the store has not taken yet; beyond it the oldest are dropped and counted.',
  },
  keep_flows: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 15 * DAY_MS,
    min: 0,
    doc: 'How long flow records are kept, from when they were stored, by whole days; `0s` = for ever.',
  },
  keep_minutes: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 90 * DAY_MS,
    min: 0,
    doc: 'How long their sums by minute are kept; `0s` = for ever.',
  },
  keep_hours: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 730 * DAY_MS,
    min: 0,
    doc: 'How long their sums by hour are kept, by whole months; `0s` = for ever.',
  },
  keep_days: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 5 * 365 * DAY_MS,
    min: 0,
    doc: 'How long their sums by day are kept, by whole months; `0s` = for ever.',
  },
  keep_identity: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 730 * DAY_MS,
    min: 0,
    doc: 'How long it is kept who was what in the past (table `identity_history`), from when it ended; what holds now always stays. `0s` = for ever.',
  },
  keep_health: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 90 * DAY_MS,
    min: 0,
    doc: 'How long it is kept what exporters delivered and what collectors tell of themselves (`exporter_health`, `collector_metrics`); `0s` = for ever.',
  },
  keep_counters: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 15 * DAY_MS,
    min: 0,
    doc: 'How long counters of interfaces are kept (`interface_counters`); an audit needs flow records and counters of its span. `0s` = for ever.',
  },
  keep_audit: {
    group: 'Store',
    live: true,
    type: 'duration',
    default: 365 * DAY_MS,
    min: 0,
    doc: 'How long the verdicts of the audit are kept (`audit`); `0s` = for ever.',
  },
  disk_free: {
    group: 'Store',
    live: true,
    type: 'bytes',
    default: 1024 ** 3,
    min: 0,
    doc: 'Disk space to be left free: with less on a disk of the store the oldest day of records is removed, then the oldest of their sums, and a warning says so. `0` = never.',
  },
  batch_rows: {
    group: 'Pipeline',
    type: 'count',
    unit: 'rows',
    default: 262_144,
    min: 8_192,
    max: 1_000_000,
    doc: 'A batch is stored when it holds this many rows; 300 bytes of memory each. Smaller ones cost the store more: it merges them.',
  },
  flush_after: {
    group: 'Pipeline',
    type: 'duration',
    default: 1_000,
    min: 10,
    max: 60_000,
    doc: 'A batch is stored at the latest this long after its first row.',
  },
  max_blocks: {
    group: 'Pipeline',
    type: 'count',
    unit: 'blocks',
    default: 4,
    min: 1,
    max: 1_000,
    doc: 'Encoded batches that may wait in memory for the spool; beyond it datagrams are dropped and counted.',
  },
  max_exporters: {
    group: 'Pipeline',
    type: 'count',
    unit: 'exporters',
    default: 16_384,
    min: 16,
    max: 1_000_000,
    doc: 'Exporters known at a time; datagrams of further ones are dropped and counted until one has been idle for `exporter_idle`.',
  },
  exporter_idle: {
    group: 'Pipeline',
    type: 'duration',
    default: 30 * 60e3,
    min: 1_000,
    doc: 'An exporter silent for this long gives up its place when another needs it.',
  },
  exporter_limit: {
    group: 'Pipeline',
    live: true,
    type: 'count',
    unit: 'records a second',
    default: 0,
    max: 100_000_000,
    doc: 'Records kept of one exporter; of one that sends more, one in k is kept by chance and stands for k: sums stay right on average, their error says so, rows carry k (`kept_one_in`). 0 = no limit.',
  },
  exporter_clocks: {
    group: 'Pipeline',
    live: true,
    type: 'text',
    oneOf: ['trust', 'far', 'correct'],
    default: 'far',
    doc: "What becomes of times of exporters whose clocks are off: `far` moves records that end before `clock_past` or after `clock_future`, by how far the exporter's clock is off where it tells, else to their arrival; `correct` moves all records of a clock that is more than 2 s off; `trust` moves only what no calendar has. Rows that were moved say so in `corrections`.",
  },
  clock_past: {
    group: 'Pipeline',
    live: true,
    type: 'duration',
    default: 4_200_000,
    min: 60_000,
    max: 30 * DAY_MS,
    doc: 'How long before its arrival a record may end. No shorter than the longest active timeout of the exporters and what may delay exports.',
  },
  clock_future: {
    group: 'Pipeline',
    live: true,
    type: 'duration',
    default: 60_000,
    min: 1_000,
    max: 30 * DAY_MS,
    doc: 'How long after its arrival a record may end.',
  },
  max_names: {
    group: 'Pipeline',
    type: 'count',
    unit: 'names',
    default: 65_536,
    min: 256,
    max: 4_000_000,
    doc: 'Different names from datagrams (interfaces, observation labels) in the batches of a thread; further ones are left empty and counted until the next block begins anew.',
  },
  metrics_exporters: {
    group: 'Pipeline',
    type: 'count',
    unit: 'exporters',
    default: 500,
    max: 100_000,
    doc: 'Exporters with a label of their own in `/metrics`, the first ones seen; all others share `other`.',
  },
  max_streams: {
    group: 'Pipeline',
    type: 'count',
    unit: 'streams',
    default: 65_536,
    min: 16,
    max: 4_000_000,
    doc: 'Sequence counters followed at a time (exporter, protocol, domain or sub-agent).',
  },
  max_interfaces: {
    group: 'Pipeline',
    type: 'count',
    unit: 'interfaces',
    default: 65_536,
    min: 16,
    max: 4_000_000,
    doc: 'Interfaces whose last sFlow counters and names are kept.',
  },
  interface_counters: {
    group: 'Audit',
    type: 'duration',
    default: 60_000,
    min: 0,
    max: 3_600_000,
    doc: 'How often the counters of an interface are stored, from counter samples of sFlow and by asking the OVSDB of each host, which are what `ovsight audit` compares with; `0s` = never.',
  },
  audit_every: {
    group: 'Audit',
    type: 'duration',
    default: 300_000,
    min: 0,
    max: 86_400_000,
    doc: 'How often flow totals are compared with the counters of interfaces and the result stored in the table `audit`; each comparison is of a span as long, that ended as long ago. `0s` = never. No shorter than `interface_counters`.',
  },
  identity: {
    group: 'Identity',
    live: true,
    type: 'path',
    default: null,
    doc: 'File that describes the cloud: hosts, projects, networks, ports, servers, routers. Read again when it changes. What it says goes before what other sources say.',
  },
  os_cloud: {
    group: 'Identity',
    live: true,
    type: 'text',
    default: null,
    doc: 'OpenStack cloud to read: its name in clouds.yaml, or `envvars` for the OS_* variables. The user needs the admin role.',
  },
  openstack_poll: {
    group: 'Identity',
    live: true,
    type: 'duration',
    default: 30_000,
    min: 1_000,
    doc: 'How often the OpenStack APIs are asked for what changed.',
  },
  openstack_full: {
    group: 'Identity',
    live: true,
    type: 'duration',
    default: 600_000,
    min: 1_000,
    doc: 'How often they are asked for everything. Neutron tells deletions only so.',
  },
  ovsdb: {
    group: 'Identity',
    live: true,
    type: 'text',
    default: null,
    doc: "OVSDB of every host whose entry names none: `tcp:{address}:6640`, `ssl:{address}:6640`, `unix:/run/{host}.sock`. `{address}` is the host's first address, `{host}` its name.",
  },
  ovsdb_listen: {
    group: 'Identity',
    live: true,
    type: 'text',
    default: null,
    doc: 'Where OVSDB servers call: `ptcp:6640`, `pssl:6640:ADDRESS`. Hosts have `ovs-vsctl set-manager ssl:COLLECTOR:6640`.',
  },
  ovn_southbound: {
    group: 'Identity',
    live: true,
    type: 'text',
    default: null,
    doc: "OVN's southbound database, `tcp:HOST:6642`, `ssl:HOST:6642` or `unix:PATH`: ports, networks, hosts and tunnel keys of an OVN cloud, also before Neutron's lists have them or without Neutron. The file and Neutron go before it.",
  },
  ovsdb_key: {
    group: 'Identity',
    live: true,
    type: 'path',
    default: null,
    doc: 'Private key (PEM) for `ssl:` and `pssl:`.',
  },
  ovsdb_cert: {
    group: 'Identity',
    live: true,
    type: 'path',
    default: null,
    doc: 'Certificate (PEM) for `ssl:` and `pssl:`.',
  },
  ovsdb_ca: {
    group: 'Identity',
    live: true,
    type: 'path',
    default: null,
    doc: "Certificate (PEM) of the CA that signed the switches' certificates.",
  },
  ovsdb_forget: {
    group: 'Identity',
    live: true,
    type: 'duration',
    default: 86_400_000,
    min: 1_000,
    doc: 'How long a host that no source names (it called, or was saved) may be silent before what its OVSDB said is forgotten: it was taken down, or renamed. A host that a source names is kept, however long it is silent.',
  },
  max_calling_hosts: {
    group: 'Identity',
    live: true,
    type: 'count',
    unit: 'hosts',
    default: 16_384,
    min: 1,
    max: 1_000_000,
    doc: 'Hosts that call (`ovsdb_listen`) known at a time; further ones are refused and counted until one has been forgotten.',
  },
  identity_grace: {
    group: 'Identity',
    live: true,
    type: 'duration',
    default: 600_000,
    min: 0,
    max: 86_400_000,
    doc: 'How long a binding that has ended (a port unplugged, a floating IP moved) is kept for records that come late. No shorter than the longest active timeout of the exporters.',
  },
  late_window: {
    group: 'Identity',
    type: 'duration',
    default: 600_000,
    min: 0,
    max: 86_400_000,
    doc: 'How long a row whose ends were not known, or not told apart, waits for the model to know more; then it is resolved again and takes the place of what was stored. 0 = never.',
  },
  late_rows: {
    group: 'Identity',
    type: 'count',
    unit: 'rows',
    default: 100_000,
    min: 1_000,
    max: 10_000_000,
    doc: 'Rows that wait at a time, about 250 bytes each in memory and on disk; beyond it those that wait for longest are given up and counted. A sixteenth of it may be of one batch.',
  },
  precedence: {
    group: 'Identity',
    type: 'order',
    default: ['ipfix', 'netflow', 'sflow', 'mirror'],
    doc: 'Which export counts where a port is reported by several at once; the others are kept as duplicates. Those left out come last.',
  },
  ipfix_sampling: {
    group: 'Decoding',
    type: 'count',
    unit: '1 in n',
    default: 0,
    max: 0xffff_ffff,
    doc: 'Sampling rate of IPFIX exporters that do not tell it (Open vSwitch does not, and has multiplied its counts already); 0 = not known.',
  },
  max_templates: {
    group: 'Decoding',
    type: 'count',
    unit: 'templates',
    default: 262_144,
    min: 16,
    max: 16_000_000,
    doc: 'Templates of NetFlow v9 and IPFIX held in all; beyond it one that was not used for long goes.',
  },
  max_templates_per_exporter: {
    group: 'Decoding',
    type: 'count',
    unit: 'templates',
    default: 16_384,
    min: 16,
    max: 16_000_000,
    doc: 'Templates held of one exporter.',
  },
  template_age: {
    group: 'Decoding',
    type: 'duration',
    default: 7 * 86_400_000,
    min: 600_000,
    doc: 'A template that neither came again nor was used for this long is forgotten. Templates are kept in the data directory over a restart.',
  },
  template_wait: {
    group: 'Decoding',
    type: 'duration',
    default: 660_000,
    min: 0,
    max: 86_400_000,
    doc: 'How long data is held whose template has not come yet. Open vSwitch sends templates every ten minutes.',
  },
  template_wait_bytes: {
    group: 'Decoding',
    type: 'bytes',
    default: 16 * 1024 ** 2,
    min: 0,
    max: 1024 ** 3,
    doc: 'Memory for data held for its template, an eighth of it for one exporter; beyond it the oldest is lost and counted. 0 holds nothing.',
  },
  presume_templates: {
    group: 'Decoding',
    type: 'flag',
    default: true,
    doc: 'Decode IPFIX that comes without any template by those that Open vSwitch is known to send, where the record proves to be one.',
  },
  mirror_active_timeout: {
    group: 'Decoding',
    type: 'duration',
    default: 60_000,
    min: 1_000,
    max: 86_400_000,
    doc: 'A flow of mirrored frames is written this long after its first frame though it goes on.',
  },
  mirror_inactive_timeout: {
    group: 'Decoding',
    type: 'duration',
    default: 15_000,
    min: 1_000,
    max: 86_400_000,
    doc: 'A flow of mirrored frames is written this long after its last frame.',
  },
  mirror_flows: {
    group: 'Decoding',
    type: 'count',
    unit: 'flows',
    default: 65_536,
    min: 16,
    max: 16_000_000,
    doc: 'Flows of mirrored frames held at a time, for GRE and VXLAN each; beyond it the one idle for longest is written early and counted.',
  },
  mirror_tag_inserted: {
    group: 'Decoding',
    type: 'flag',
    default: true,
    doc: 'The outer VLAN tag of a mirrored frame was put there by the mirror (Open vSwitch does) and does not count in l2_bytes.',
  },
  log_level: {
    group: 'Logs',
    live: true,
    type: 'text',
    oneOf: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    doc: 'Least level of a log line that is written.',
  },
  log_lines: {
    group: 'Logs',
    type: 'count',
    unit: 'lines',
    default: 5,
    max: 1_000,
    doc: 'Lines of one kind about input from the network in ten seconds, for each thread; what is left out is counted, and a line says how many.',
  },
  log_format: {
    group: 'Logs',
    type: 'text',
    oneOf: ['auto', 'json', 'text'],
    default: 'auto',
    doc: 'Logs go to standard error: `text` to be read, `json` one object a line, `auto` is text on a terminal.',
  },
} as const satisfies Record<string, OptionFacts>

/** How a ClickHouse server is reached: whatever opens a store takes them. */
export const SERVER_OPTIONS = [
  'clickhouse',
  'clickhouse_cluster',
  'clickhouse_user',
  'clickhouse_password_file',
  'clickhouse_ca',
  'clickhouse_cert',
  'clickhouse_key',
  'clickhouse_insecure',
] as const satisfies readonly OptionName[]

interface OptionFacts {
  /** Heading in `--help` and in the docs. */
  group: string
  type: OptionTypeName
  default: unknown
  /** What a count counts. */
  unit?: string
  min?: number
  max?: number
  oneOf?: readonly string[]
  /** Takes effect while the collector runs, when it is told to read its configuration again (SIGHUP). */
  live?: true
  /** May hold a password: never shown whole. */
  secret?: true
  /** Told only by the help of commands that take all options; others take it as well. */
  seldom?: true
  doc: string
}

export type OptionName = keyof typeof OPTIONS
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[]

type TypeValue<T extends OptionTypeName> = Exclude<ReturnType<(typeof OPTION_TYPES)[T]['read']>, Fault>
type OptionValue<O extends OptionName> = (typeof OPTIONS)[O]['default'] extends null
  ? TypeValue<(typeof OPTIONS)[O]['type']> | null
  : TypeValue<(typeof OPTIONS)[O]['type']>

/** The effective configuration: durations in milliseconds, sizes in bytes, a port that is off is `null`. */
export type Config = { readonly [O in OptionName]: OptionValue<O> }

/** One row of the table, whichever option it is of. */
export function optionFacts(name: OptionName): OptionFacts {
  return OPTIONS[name]
}

/** `netflow_port` → `--netflow-port`. */
export function flagOf(name: OptionName): string {
  return `--${name.replaceAll('_', '-')}`
}

/** `netflow_port` → `OVSIGHT_NETFLOW_PORT`. */
export function environmentOf(name: OptionName): string {
  return `OVSIGHT_${name.toUpperCase()}`
}
