/**
 * The effective configuration. The command line goes before the environment, the environment before the YAML file, the file
 * before the default. Everything wrong anywhere is found in one go.
 */
import { readFileSync } from 'node:fs'
import { AppError } from '../errors.ts'
import { type FileValue, readConfigFile } from './file.ts'
import { nearest } from './nearest.ts'
import { type Config, OPTION_NAMES, type OptionName, environmentOf, flagOf, optionFacts } from './options.ts'
import { Fault, OPTION_TYPES, showValue } from './types.ts'

/** Where a value comes from, as `show config` prints it: `command line`, `environment`, `ovsight.yaml:3`, `default`. */
export type Origin = string

export interface Loaded {
  config: Config
  origins: Readonly<Record<OptionName, Origin>>
}

export interface ConfigSources {
  /** Values of the command line by option name; what was not given is absent or undefined. */
  flags?: Readonly<Partial<Record<OptionName, unknown>>>
  /** Path of a YAML file; default: `OVSIGHT_CONFIG`. */
  file?: string | undefined
  env?: Readonly<Record<string, string | undefined>>
}

interface Given {
  value: unknown
  origin: Origin
  /** What the operator wrote, for messages: `--netflow-port`, `OVSIGHT_NETFLOW_PORT`, `ovsight.yaml:3: netflow_port`. */
  path: string
}

/** Kubernetes sets these for a service named ovsight; they are not ours. */
const SERVICE_LINK = /^OVSIGHT_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT.*)|PORT(?:_\d+_(?:TCP|UDP|SCTP).*)?)$/

/**
 * Reads all sources and checks every value. Errors: `config_invalid` with one detail a fault, `file_unreadable` for the file.
 */
export function loadConfig(sources: ConfigSources = {}): Loaded {
  const env = sources.env ?? {}
  const path = sources.file ?? env['OVSIGHT_CONFIG']
  const faults: string[] = []
  const fromFile = path === undefined ? new Map<OptionName, FileValue>() : readConfigFile(path, readText(path), faults)
  faults.push(...unknownEnvironment(env))

  const values: Record<string, unknown> = {}
  const origins: Record<string, Origin> = {}
  for (const name of OPTION_NAMES) {
    const given = firstGiven(name, sources, env, fromFile)
    origins[name] = given?.origin ?? 'default'
    const value = given === undefined ? optionFacts(name).default : readValue(name, given.value)
    if (value instanceof Fault) faults.push(`${given!.path}: ${value.text}`)
    else values[name] = value
  }
  if (faults.length > 0)
    throw new AppError('config_invalid', `${faults.length === 1 ? 'one option is' : 'options are'} wrong`, {
      details: faults,
    })
  return { config: values as unknown as Config, origins: origins as Record<OptionName, Origin> }
}

function firstGiven(
  name: OptionName,
  sources: ConfigSources,
  env: Readonly<Record<string, string | undefined>>,
  fromFile: ReadonlyMap<OptionName, FileValue>,
): Given | undefined {
  const flag = sources.flags?.[name]
  if (flag !== undefined) return { value: flag, origin: 'command line', path: flagOf(name) }
  const variable = environmentOf(name)
  const text = env[variable]
  if (text !== undefined) return { value: text, origin: `environment ${variable}`, path: variable }
  const line = fromFile.get(name)
  return line && { value: line.value, origin: line.at, path: `${line.at}: ${name}` }
}

function readValue(name: OptionName, given: unknown): unknown {
  const facts = optionFacts(name)
  const value: unknown = OPTION_TYPES[facts.type].read(given)
  // What is wrong may hold a password, so it is not repeated.
  if (value instanceof Fault && facts.secret === true)
    return new Fault(
      `what is given is wrong, and not shown since it may hold a secret; it should be: ${OPTION_TYPES[facts.type].doc}`,
    )
  if (value instanceof Fault || value === null) return value
  if (facts.oneOf !== undefined && !facts.oneOf.includes(value as string))
    return new Fault(`${JSON.stringify(value)} is not one of ${facts.oneOf.join(', ')}`)
  if (facts.min !== undefined && (value as number) < facts.min)
    return new Fault(`${showValue(facts.type, value)} is below ${showValue(facts.type, facts.min)}`)
  if (facts.max !== undefined && (value as number) > facts.max)
    return new Fault(`${showValue(facts.type, value)} is above ${showValue(facts.type, facts.max)}`)
  return value
}

function unknownEnvironment(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Map<string, OptionName>(OPTION_NAMES.map((name) => [environmentOf(name), name]))
  return Object.keys(env)
    .filter((name) => name.startsWith('OVSIGHT_') && name !== 'OVSIGHT_CONFIG')
    .filter((name) => !known.has(name) && !SERVICE_LINK.test(name))
    .map((name) => `${name}: no such option${nearest(name, [...known.keys()])}`)
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AppError('file_unreadable', `cannot read the configuration file ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
}
