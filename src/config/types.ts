/**
 * The types an option can have. Each reads what the command line, the environment (text) or a YAML file (text, number, boolean,
 * list) gives, and answers the value or a fault: a sentence that completes "netflow_port: …".
 */
import { isIP } from 'node:net'

/** What went wrong with one value. */
export class Fault {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

interface OptionType<T> {
  /** How a value is written; the placeholder of `--help`. */
  readonly syntax: string
  readonly doc: string
  read(given: unknown): T | Fault
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 }
const TRUE = new Set(['true', 'on', 'yes', '1'])
const FALSE = new Set(['false', 'off', 'no', '0'])

export const OPTION_TYPES = {
  text: {
    syntax: 'text',
    doc: 'Any text.',
    read: (given) => (typeof given === 'string' && given !== '' ? given : new Fault(`${shown(given)} is not a text`)),
  } satisfies OptionType<string>,
  path: {
    syntax: 'path',
    doc: 'A file or directory; a relative one starts from the working directory.',
    read: (given) => (typeof given === 'string' && given !== '' ? given : new Fault(`${shown(given)} is not a path`)),
  } satisfies OptionType<string>,
  url: {
    syntax: 'url',
    doc: 'An `http://` or `https://` URL.',
    read: readUrl,
  } satisfies OptionType<string>,
  urls: {
    syntax: 'url,…',
    doc: 'An `http://` or `https://` URL, or several with commas between; in YAML also a list.',
    read: readUrls,
  } satisfies OptionType<string>,
  address: {
    syntax: 'address',
    doc: 'An IPv4 or IPv6 address.',
    read: (given) =>
      typeof given === 'string' && isIP(given) !== 0 ? given : new Fault(`${shown(given)} is not an IP address`),
  } satisfies OptionType<string>,
  port: {
    syntax: 'port',
    doc: 'A port number; `0` takes any free one, `off` does not listen.',
    read: readPort,
  } satisfies OptionType<number | null>,
  count: {
    syntax: 'n',
    doc: 'A whole number.',
    read: readCount,
  } satisfies OptionType<number>,
  bytes: {
    syntax: 'size',
    doc: 'A size with its unit: `64MiB`, `10GB`, `4096B`.',
    read: (given) => readUnit(given, UNIT_BYTES, 'size'),
  } satisfies OptionType<number>,
  duration: {
    syntax: 'duration',
    doc: 'A duration with its unit: `500ms`, `30s`, `5m`, `1h`, `7d`.',
    read: (given) => readUnit(given, UNIT_MS, 'duration'),
  } satisfies OptionType<number>,
  flag: {
    syntax: 'on|off',
    doc: '`on` or `off`.',
    read: readFlag,
  } satisfies OptionType<boolean>,
  aliases: {
    syntax: 'from=to',
    doc: 'Pairs of addresses, `from=to`; several on the command line by repeating the option, in the environment with commas, in YAML as a list.',
    read: readAliases,
  } satisfies OptionType<readonly string[]>,
  networks: {
    syntax: 'net,…',
    doc: 'Addresses and networks, `10.0.10.0/24`, `2001:db8::1`; several with commas or by repeating the option, in YAML as a list; `none`.',
    read: readNetworks,
  } satisfies OptionType<readonly string[]>,
  order: {
    syntax: 'a,b,…',
    doc: 'Sources of flow records in the order in which they are believed: `ipfix`, `netflow`, `sflow`, `mirror`, with commas; in YAML also a list.',
    read: readOrder,
  } satisfies OptionType<readonly SourceName[]>,
}

/** Sources of flow records, as `precedence` names them. */
export const SOURCE_NAMES = ['ipfix', 'netflow', 'sflow', 'mirror'] as const
export type SourceName = (typeof SOURCE_NAMES)[number]

export type OptionTypeName = keyof typeof OPTION_TYPES

/** Writes a value of a type back as an operator would: `null` is `off` for ports and `not set` elsewhere. */
export function showValue(type: OptionTypeName, value: unknown): string {
  if (value === null) return type === 'port' ? 'off' : 'not set'
  if (type === 'bytes') return showUnit(value as number, UNIT_BYTES)
  if (type === 'duration') return showUnit(value as number, UNIT_MS)
  if (type === 'flag') return value === true ? 'on' : 'off'
  if (type === 'order') return (value as string[]).join(',')
  if (type === 'aliases' || type === 'networks')
    return (value as string[]).length === 0 ? 'none' : (value as string[]).join(', ')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function readUrls(given: unknown): string | Fault {
  // A comma may be part of a URL; between two there is the beginning of the next.
  const urls: unknown[] = Array.isArray(given)
    ? given
    : typeof given === 'string'
      ? given.split(/,\s*(?=https?:\/\/)/)
      : [given]
  const read: string[] = []
  for (const url of urls) {
    const one = readUrl(url)
    if (one instanceof Fault) return one
    read.push(one)
  }
  return read.length === 0 ? new Fault('there is no URL') : read.join(',')
}

function readUrl(given: unknown): string | Fault {
  if (typeof given !== 'string' || !URL.canParse(given)) return new Fault(`${shown(given)} is not a URL`)
  const { protocol } = new URL(given)
  if (protocol !== 'http:' && protocol !== 'https:')
    return new Fault(`${shown(given)} must start with http:// or https://`)
  return given
}

function readPort(given: unknown): number | null | Fault {
  if (given === 'off' || given === false) return null
  const port = typeof given === 'string' && /^\d{1,5}$/.test(given) ? Number(given) : given
  if (typeof port === 'number' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  return new Fault(`${shown(given)} is not a port (0 to 65535, or off)`)
}

function readCount(given: unknown): number | Fault {
  const count = typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : given
  if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
  return new Fault(`${shown(given)} is not a whole number`)
}

function readUnit(given: unknown, units: Readonly<Record<string, number>>, what: string): number | Fault {
  if (given === 0 || given === '0') return 0
  const match = typeof given === 'string' ? /^(\d{1,12}(?:\.\d{1,3})?) ?([A-Za-z]{1,3})$/.exec(given) : null
  const unit = match === null ? undefined : units[match[2]!]
  if (unit === undefined)
    return new Fault(`${shown(given)} is not a ${what} with its unit (${Object.keys(units).join(', ')})`)
  return Math.round(Number(match![1]) * unit)
}

function readFlag(given: unknown): boolean | Fault {
  if (typeof given === 'boolean') return given
  const text = String(given).toLowerCase()
  if (TRUE.has(text)) return true
  if (FALSE.has(text)) return false
  return new Fault(`${shown(given)} is neither on nor off`)
}

function readAliases(given: unknown): readonly string[] | Fault {
  const pairs = typeof given === 'string' ? given.split(',') : given
  if (!Array.isArray(pairs)) return new Fault(`${shown(given)} is not a list of from=to`)
  const wrong = pairs.find((pair) => {
    const sides = typeof pair === 'string' ? pair.split('=') : []
    return sides.length !== 2 || sides.some((side) => isIP(side.trim()) === 0)
  })
  if (wrong !== undefined) return new Fault(`${shown(wrong)} is not a pair of addresses from=to`)
  return pairs.map((pair: string) => pair.replaceAll(' ', ''))
}

function readNetworks(given: unknown): readonly string[] | Fault {
  if (given === 'none') return []
  const networks = typeof given === 'string' ? given.split(',') : given
  if (!Array.isArray(networks)) return new Fault(`${shown(given)} is not a list of addresses and networks`)
  const wrong: unknown = networks.find((one) => typeof one !== 'string' || !isNetwork(one.trim()))
  if (wrong !== undefined) return new Fault(`${shown(wrong)} is neither an address nor a network such as 10.0.0.0/8`)
  return networks.map((one: string) => one.trim())
}

/** An address, or one with the length of its prefix behind a slash. */
function isNetwork(text: string): boolean {
  const [address = '', length, ...rest] = text.split('/')
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)]!
  return bits > 0 && rest.length === 0 && (length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits))
}

function readOrder(given: unknown): readonly SourceName[] | Fault {
  const names: unknown = typeof given === 'string' ? given.split(',').map((name) => name.trim()) : given
  if (!Array.isArray(names)) return new Fault(`${shown(given)} is not a list of ${SOURCE_NAMES.join(', ')}`)
  const wrong: unknown = names.find((name) => !SOURCE_NAMES.some((known) => known === name))
  if (wrong !== undefined) return new Fault(`${shown(wrong)} is none of ${SOURCE_NAMES.join(', ')}`)
  const twice = names.find((name, i) => names.indexOf(name) !== i) as unknown
  return twice === undefined ? (names as SourceName[]) : new Fault(`${shown(twice)} is there twice`)
}

function showUnit(value: number, units: Readonly<Record<string, number>>): string {
  const largest = Object.entries(units)
    .sort(([, a], [, b]) => b - a)
    .find(([, size]) => value >= size && value % size === 0)
  return largest === undefined ? String(value) : `${value / largest[1]}${largest[0]}`
}

/** A given value as it stands in a message: cut, so that a file given by mistake does not fill the screen. */
function shown(given: unknown): string {
  const text = JSON.stringify(given) ?? String(given)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
