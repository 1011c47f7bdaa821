/**
 * The identity file: YAML (or JSON, which is YAML) with the sections of cloud.ts, and for each host where its OVSDB is: a
 * saved dump beside the file, or a server.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { AppError } from '../../errors.ts'
import { SECTIONS, type CloudModel, type HostEntry } from '../cloud.ts'
import { Faults } from './faults.ts'
import { parseDump } from './ovsdb/dump.ts'
import { readOvsHost, type OvsHost } from './ovsdb/host.ts'
import { readOnce } from './ovsdb/monitor.ts'
import { isTarget, parseTarget } from './ovsdb/target.ts'
import { checkReferences } from './references.ts'

const FILE = z.strictObject(SECTIONS)

export interface LoadOptions {
  /** Longest wait for a live OVSDB server. */
  timeoutMs?: number
  /** Whether live OVSDB servers are asked once; not where they are kept current anyway. Default true. */
  askServers?: boolean
}

/**
 * Reads and checks an identity file with all that it points to.
 *
 * Errors: `file_unreadable`; `identity_invalid` with every fault in `details`, each with line, column and path. `warnings`
 * are sentences about what is incomplete but usable: names that are missing, a live OVSDB server that does not answer.
 */
export async function loadIdentityFile(
  path: string,
  options: LoadOptions = {},
): Promise<{ cloud: CloudModel; warnings: string[] }> {
  const text = await readText(path)
  const lines = new LineCounter()
  // Neutron's ids may look like numbers (1e10…) and its names like booleans (off): the core schema is YAML 1.2's.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', uniqueKeys: true })
  const faults = new Faults(path, document, lines)
  for (const error of document.errors) faults.addAt(error.pos[0], error.message)
  faults.throwIfAny()

  const raw: unknown = document.toJS({ maxAliasCount: 100 }) ?? {}
  const parsed = FILE.safeParse(raw)
  if (!parsed.success) {
    faults.addIssues(parsed.error.issues)
    // Dangling references are told in the same breath, not after the next try.
    const rest = FILE.safeParse(withoutFaults(raw, parsed.error.issues))
    if (rest.success) checkReferences(rest.data, faults)
  }
  faults.throwIfAny()
  const sections = parsed.data!
  checkReferences(sections, faults)

  const ovs = new Map<string, OvsHost>()
  const sources = sections.hosts.map((host, i) => readOvsdb(host, i, dirname(path), faults, options))
  for (const [i, read] of (await Promise.all(sources)).entries()) {
    if (read !== undefined) ovs.set(sections.hosts[i]!.name, read)
  }
  faults.throwIfAny()
  return { cloud: { ...sections, ovs }, warnings: faults.warnings }
}

/** What a field is given that cannot be left out and that nothing refers to. */
const STAND_INS: Readonly<Record<string, string>> = { mac_address: '00:00:00:00:00:00', cidr: '0.0.0.0/0' }

/** A copy in which the fields that have a fault are gone, or are stand-ins: for looking at the rest. */
function withoutFaults(raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = structuredClone(raw)
  for (const issue of issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [undefined]
    for (const key of keys) drop(copy, key === undefined ? issue.path : [...issue.path, key])
  }
  return copy
}

function drop(root: unknown, path: readonly PropertyKey[]): void {
  let at = root
  for (const key of path.slice(0, -1)) at = (at as Record<PropertyKey, unknown> | undefined)?.[key]
  const last = path.at(-1)
  if (last === undefined || typeof at !== 'object' || at === null) return
  const standIn = STAND_INS[String(last)]
  if (standIn === undefined) delete (at as Record<PropertyKey, unknown>)[last]
  else (at as Record<PropertyKey, unknown>)[last] = standIn
}

async function readOvsdb(
  host: HostEntry,
  i: number,
  folder: string,
  faults: Faults,
  options: LoadOptions,
): Promise<OvsHost | undefined> {
  if (host.ovsdb === undefined) return undefined
  const path = ['hosts', i, 'ovsdb']
  if (isTarget(host.ovsdb)) {
    const target = parseTarget(host.ovsdb)
    if (typeof target === 'string') {
      faults.add(path, target)
      return undefined
    }
    if (options.askServers === false) return undefined
    try {
      return readOvsHost(await readOnce(target, options))
    } catch (error) {
      faults.warn(path, `host ${host.name}: OVSDB ${host.ovsdb} does not answer: ${(error as Error).message}`)
      return undefined
    }
  }
  return readDump(resolve(folder, host.ovsdb), path, faults)
}

async function readDump(file: string, path: readonly PropertyKey[], faults: Faults): Promise<OvsHost | undefined> {
  let text
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    faults.add(path, `cannot read the OVSDB dump ${file}: ${(error as Error).message}`)
    return undefined
  }
  const { tables, faults: found } = parseDump(text)
  for (const fault of found) faults.add(path, `${file}, ${fault}`)
  return readOvsHost(tables)
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new AppError('file_unreadable', `cannot read the identity file ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
}
