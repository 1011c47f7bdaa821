/**
 * The model on disk, so that the first records after a restart are attributed: `<data>/identity/model.jsonl.gz`, a line for the
 * version and the time, then one for each entry, host and binding that has ended. Written beside and renamed, so that a cut
 * never leaves half a model; one that cannot be read is as none.
 */
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createGzip, gunzip } from 'node:zlib'
import type { History } from '../history.ts'
import { SECTION_NAMES } from '../sections.ts'
import type { CloudSections } from '../sources/openstack/model.ts'
import type { OvsHost } from '../sources/ovsdb/host.ts'
import type { ReplicaState } from './replica.ts'

const VERSION = 1
/** Lines written or read without giving way to the pipeline: a few milliseconds. */
const SLICE = 500

type Line =
  | { version: number; savedAtMs: number }
  | { section: keyof CloudSections; entry: never }
  | { host: string; freshAtMs: number; ovs: OvsHost }
  | { past: 'ports' | 'floatingips' | 'interfaces'; was: never }
  | { since: [key: string, fromMs: number] }

export interface SavedModel extends ReplicaState {
  savedAtMs: number
}

function pathIn(data: string): string {
  return join(data, 'identity', 'model.jsonl.gz')
}

/** Saves the model. Rejects when the directory cannot be written; the one saved before stays then. */
export async function saveModel(data: string, state: ReplicaState, savedAtMs: number): Promise<void> {
  const path = pathIn(data)
  await mkdir(join(data, 'identity'), { recursive: true })
  const part = `${path}.part`
  try {
    await pipeline(Readable.from(chunks(state, savedAtMs)), createGzip({ level: 1 }), createWriteStream(part))
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

/** The model that was saved; undefined when there is none. Rejects with a plain Error when it cannot be used. */
export async function loadModelSaved(data: string): Promise<SavedModel | undefined> {
  const packed = await readFile(pathIn(data)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (packed === undefined) return undefined
  const text = (await promisify(gunzip)(packed)).toString('utf8')
  const sections = Object.fromEntries(SECTION_NAMES.map((name) => [name, [] as unknown[]]))
  const ovs = new Map<string, { ovs: OvsHost; freshAtMs: number }>()
  const past: Record<string, unknown[]> = { ports: [], floatingips: [], interfaces: [] }
  const since = new Map<string, number>()
  let savedAtMs = 0
  let lines = 0
  for (let at = 0; at < text.length;) {
    const end = text.indexOf('\n', at)
    const line = JSON.parse(text.slice(at, end), reviveMap) as Line
    at = end < 0 ? text.length : end + 1
    if ('version' in line) {
      if (line.version !== VERSION) throw new Error(`it has version ${line.version}, not ${VERSION}`)
      savedAtMs = line.savedAtMs
    } else if ('section' in line) sections[line.section]?.push(line.entry)
    else if ('host' in line) ovs.set(line.host, { ovs: line.ovs, freshAtMs: line.freshAtMs })
    else if ('past' in line) past[line.past]?.push(line.was)
    else since.set(...line.since)
    if (++lines % SLICE === 0) await turn()
  }
  const history = { ...past, since } as unknown as History
  return { savedAtMs, cloud: sections as unknown as CloudSections, ovs, history }
}

async function* chunks(state: ReplicaState, savedAtMs: number): AsyncGenerator<string> {
  let chunk: string[] = []
  for (const line of linesOf(state, savedAtMs)) {
    chunk.push(JSON.stringify(line, replaceMap), '\n')
    if (chunk.length < SLICE) continue
    yield chunk.join('')
    chunk = []
    await turn()
  }
  yield chunk.join('')
}

function* linesOf({ cloud, ovs, history }: ReplicaState, savedAtMs: number): Generator<object> {
  yield { version: VERSION, savedAtMs }
  for (const section of SECTION_NAMES) for (const entry of cloud[section]) yield { section, entry }
  for (const [host, { ovs: said, freshAtMs }] of ovs) yield { host, freshAtMs, ovs: said }
  for (const past of ['ports', 'floatingips', 'interfaces'] as const)
    for (const was of history[past]) yield { past, was }
  for (const since of history.since) yield { since }
}

function replaceMap(_key: string, value: unknown): unknown {
  return value instanceof Map ? { $map: [...value] } : value
}

function reviveMap(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$map' in value)) return value
  return new Map(value.$map as [unknown, unknown][])
}
