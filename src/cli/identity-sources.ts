/** Where `ovsight identity` knows things from: the sources that are named, or the collector that runs on the data directory. */
import { homedir } from 'node:os'
import type { Command } from 'commander'
import { z } from 'zod'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { AppError, ERRORS, type ErrorCode } from '../errors.ts'
import type { Shown, ShownRow } from '../identity/describe.ts'
import { loadModel, type LoadedModel } from '../identity/load.ts'
import { readKeys } from '../identity/sources/ovsdb/keys.ts'
import { fetchCollector, collectorOf, collectorUrl } from './collector-note.ts'
import type { CliContext } from './context.ts'
import { RESOLVE_OPTIONS, type ResolveOptions } from './identity-resolve.ts'
import { writeNotes, type OutputOptions } from './output.ts'

export interface SourceFlags extends OutputOptions {
  identity?: string
  osCloud?: string
  ovsdb?: string
  ovnSouthbound?: string
  data?: string
  config?: string
}

/** Rows asked of a collector: all of any cloud planned for. */
const ALL = '200000'
const FLAGS = ['data', 'url', 'token', 'token_file'] as const

/** The options that name sources. */
export function addSourceOptions(command: Command): Command {
  command
    .option('--identity <file>', 'identity file')
    .option('--os-cloud <name>', 'cloud of clouds.yaml, or envvars for OS_* variables')
    .option('--ovn-southbound <target>', 'southbound database of OVN, e.g. tcp:HOST:6642')
    .option('--ovsdb <target>', 'OVSDB of each host of the cloud, e.g. tcp:{address}:6640 or unix:/run/{host}.sock')
  return addOptions(command, FLAGS)
}

/** URL of the collector that runs on the data directory; undefined when none does, or when sources are named. */
export async function runningCollector(context: CliContext, flags: SourceFlags): Promise<string | undefined> {
  if (isNamed(flags)) return undefined
  return collectorOf(configOf(context, flags))
}

/** The model of the sources that are named, on the command line or in the configuration. Errors: usage, and those of loadModel. */
export async function loadSources(context: CliContext, flags: SourceFlags): Promise<LoadedModel> {
  const config = configOf(context, flags)
  const named = isNamed(flags)
  const identity = named ? flags.identity : (config.identity ?? undefined)
  const osCloud = named ? flags.osCloud : (config.os_cloud ?? undefined)
  const ovnSouthbound = named ? flags.ovnSouthbound : (config.ovn_southbound ?? undefined)
  if (identity === undefined && osCloud === undefined && ovnSouthbound === undefined)
    throw new AppError('usage', `no source is named, and no collector runs on ${config.data}`, {
      details: [
        'give --identity FILE, --os-cloud NAME, --ovn-southbound TARGET, or several; or --data with the directory of a running collector',
      ],
    })
  const ovsdb = flags.ovsdb ?? config.ovsdb ?? undefined
  const keys = readKeys({ ...config, ovsdb: ovsdb ?? null, ovsdb_listen: null, ovn_southbound: ovnSouthbound ?? null })
  const here = { env: context.env, cwd: process.cwd(), home: homedir() }
  const model = await loadModel({ identity, osCloud, ovnSouthbound, ovsdb, keys, ...here })
  writeNotes(context, model.warnings)
  return model
}

/** Whether the command line names sources. */
function isNamed({ identity, osCloud, ovnSouthbound }: SourceFlags): boolean {
  return [identity, osCloud, ovnSouthbound].some((source) => source !== undefined)
}

function configOf(context: CliContext, flags: SourceFlags) {
  return loadConfig({ flags: givenFlags({ ...flags }, FLAGS), file: flags.config, env: context.env }).config
}

const SOURCE = z.object({
  source: z.string(),
  target: z.string(),
  state: z.string(),
  fault: z.string(),
  age_ms: z.number().nullable(),
  faults: z.number(),
  counts: z.record(z.string(), z.number()),
  contradictions: z.array(z.string()).default([]),
})
const STATUS = z.object({ sources: z.array(SOURCE) })
const ROWS = z.array(z.record(z.string(), z.string()))
const PROBLEM = z.object({
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
})

/** How a running collector's sources stand, as rows; with `all` every contradiction, else the first. Errors: store_unreachable, query_failed. */
export async function askStatus(url: string, all = false): Promise<ShownRow[]> {
  const { answer } = await askCollector(collectorUrl(url, 'api/v1/identity/status'), STATUS)
  return answer.sources.map(({ source, target, state, fault, age_ms, faults, counts, contradictions }) => ({
    source,
    target,
    state,
    age: age_ms === null ? 'never' : ageText(age_ms),
    faults: String(faults),
    says: fault || saysText(countsText(counts), contradictions, all),
  }))
}

/** What a running collector knows. Errors: as askStatus. */
export async function askShow(context: CliContext, url: string, what: Shown, wanted?: string): Promise<ShownRow[]> {
  const parameters = new URLSearchParams({ kind: what, n: ALL, ...(wanted === undefined ? {} : { wanted }) })
  const { answer, notes } = await askCollector(collectorUrl(url, `api/v1/identity/show?${parameters.toString()}`), ROWS)
  writeNotes(context, notes)
  return answer
}

const TEXTS = z.record(z.string(), z.string())
const RESOLVED = z.object({ ends: z.array(TEXTS), record: TEXTS })

/** How a running collector resolves a record, also by what held a while ago. Errors: usage, and as askStatus. */
export async function askResolve(url: string, options: ResolveOptions): Promise<z.output<typeof RESOLVED>> {
  const parameters = new URLSearchParams()
  for (const [option, name] of Object.entries(RESOLVE_OPTIONS)) {
    const value = options[option as keyof ResolveOptions]
    if (value !== undefined) parameters.set(name, value)
  }
  return (await askCollector(collectorUrl(url, `api/v1/identity/resolve?${parameters.toString()}`), RESOLVED)).answer
}

/** An answer of a collector that has the shape. Errors: what it says; store_unreachable, query_failed. */
export async function askCollector<T>(url: URL, schema: z.ZodType<T>): Promise<{ answer: T; notes: string[] }> {
  let response: Response
  try {
    response = await fetchCollector(url)
  } catch (cause) {
    throw new AppError('store_unreachable', `the collector at ${url.origin} does not answer; is it stopping?`, {
      cause,
    })
  }
  const body: unknown = await response.json().catch(() => undefined)
  const problem = PROBLEM.safeParse(body)
  if (!response.ok && problem.success) throw new AppError(problem.data.code, problem.data.detail)
  const parsed = schema.safeParse(body)
  if (!response.ok || !parsed.success)
    throw new AppError('query_failed', `the collector answered ${response.status} in words this version does not know`)
  const notes = z.array(z.string()).catch([])
  const header = response.headers.get('ovsight-notes') ?? '%5B%5D'
  return { answer: parsed.data, notes: notes.parse(JSON.parse(decodeURIComponent(header))) }
}

/** What a source says, and of what cannot be true the first, or all. */
export function saysText(says: string, doubts: readonly string[], all: boolean): string {
  const [first, ...more] = doubts
  if (first === undefined) return says
  if (all) return [says, ...doubts].join('; ')
  return `${says}; cannot be true: ${first}${more.length === 0 ? '' : `, and ${more.length} more (-f json has all)`}`
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const known = Object.entries(counts).filter(([, count]) => count > 0)
  return known.map(([section, count]) => `${count} ${section}`).join(', ')
}

/** `0.4 s`, `12 s`, `7 min`, `3 h`. */
export function ageText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1e3).toFixed(1)} s`
  if (ms < 120_000) return `${Math.round(ms / 1e3)} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60e3)} min` : `${Math.round(ms / 3_600e3)} h`
}
