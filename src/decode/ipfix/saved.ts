/**
 * Templates as text, to be written down and read at the next start: JSON, each layout and each exporter once.
 *
 *   { "ovsight_templates": 1,
 *     "templates": [[exporter, port, domain, id, layout, learned s, proven], …],
 *     "layouts":   [[version, scopes, "specifiers as hex", uses], …],
 *     "exporters": ["10.0.0.1", …] }
 */
import { MOST_USES } from './layouts.ts'
import { readTemplate, IPFIX, NETFLOW9, type Spec, type TemplateRecord, type Version } from './template.ts'
import type { SavedTemplate, Templates } from './templates.ts'

const FORMAT = 1
const ROW = 7

interface State {
  ovsight_templates: number
  layouts: (readonly [number, number, string, number])[]
  exporters: unknown[]
  templates: number[][]
}

/** Length of a piece of the text. */
const PIECE = 1 << 16

/**
 * All templates of exporters whose address `addressOf` tells, piece by piece. Between two pieces templates may come and go: each that is
 * written is right, and what is missing was a change.
 */
export function* templateTexts(
  templates: Templates,
  addressOf: (exporterId: number) => string | undefined,
): Generator<string> {
  const layouts = new Numbers()
  const exporters = new Numbers()
  let text = `{"ovsight_templates":${FORMAT},"templates":[`
  let between = ''
  for (const entry of templates.entries()) {
    const exporter = exporters.of(entry.exporterId, () => {
      const address = addressOf(entry.exporterId)
      return address === undefined ? undefined : JSON.stringify(address)
    })
    if (exporter < 0) continue
    const layout = layouts.of(entry.layout, () => layoutText(entry))
    const { exporterPort, domain, id, learnedS, proven } = entry
    text += `${between}[${exporter},${exporterPort},${domain},${id},${layout},${learnedS},${proven ? 1 : 0}]`
    between = ','
    if (text.length < PIECE) continue
    yield text
    text = ''
  }
  yield `${text}],"layouts":[${layouts.texts.join(',')}],"exporters":[${exporters.texts.join(',')}]}`
}

/** The same as one text. */
export function writeTemplates(templates: Templates, addressOf: (exporterId: number) => string | undefined): string {
  return [...templateTexts(templates, addressOf)].join('')
}

function layoutText({ version, scopes, fields, uses }: SavedTemplate): string {
  return `[${version},${scopes},"${Buffer.from(fields, 'latin1').toString('hex')}",${uses}]`
}

/** Numbers things in the order they come, and keeps a text of each. */
class Numbers {
  readonly texts: string[] = []
  private readonly known = new Map<number, number>()

  /** Number of a thing; -1 when it has no text. */
  of(thing: number, textOf: () => string | undefined): number {
    let number = this.known.get(thing)
    if (number !== undefined) return number
    const text = textOf()
    number = text === undefined ? -1 : this.texts.push(text) - 1
    this.known.set(thing, number)
    return number
  }
}

/** A template of an exporter at an address. */
export type ReadTemplate = Omit<SavedTemplate, 'exporterId'> & { readonly address: string }

/**
 * What `writeTemplates` gave, or undefined when the text is not such a state; what is damaged in it is left out, and templates of more than
 * `maxFields`. Never throws.
 */
export function readTemplates(text: string, maxFields: number): ReadTemplate[] | undefined {
  const state = stateOf(text)
  if (state === undefined) return undefined
  const specs = state.layouts.map((layout) => specOf(layout, maxFields))
  return state.templates.flatMap((row) => (Array.isArray(row) && templateOf(row, state.exporters, specs)) || [])
}

/**
 * Learns what `readTemplates` gave, in that order; of more than are held those that were used most. `idOf` gives the exporter at an address
 * its id, or undefined when there is no place for it. How many were learned.
 */
export function learnTemplates(
  read: readonly ReadTemplate[],
  templates: Templates,
  idOf: (address: string) => number | undefined,
): number {
  let learned = 0
  for (const { address, ...saved } of mostUsed(read, templates.limits.maxTemplates)) {
    const exporterId = idOf(address)
    if (exporterId === undefined) continue
    templates.restore({ exporterId, ...saved })
    learned++
  }
  return learned
}

/** Several threads wrote down what they shared, so the like of it counts once: what was read last. */
function mostUsed(read: readonly ReadTemplate[], most: number): Iterable<ReadTemplate> {
  if (read.length <= most) return read
  const last = new Map<string, ReadTemplate>()
  for (const one of read) last.set(`${one.address} ${one.exporterPort} ${one.domain} ${one.version} ${one.id}`, one)
  const all = [...last.values()]
  if (all.length <= most) return all
  const worth = (a: ReadTemplate, b: ReadTemplate) =>
    Number(b.proven) - Number(a.proven) || b.uses - a.uses || b.learnedS - a.learnedS
  const kept = new Set(all.toSorted(worth).slice(0, most))
  return all.filter((one) => kept.has(one))
}

function stateOf(text: string): State | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Cut, or not ours: the caller tells.
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const state = value as Partial<Record<keyof State, unknown>>
  const { layouts, exporters, templates } = state
  if (state.ovsight_templates !== FORMAT) return undefined
  return Array.isArray(layouts) && Array.isArray(exporters) && Array.isArray(templates) ? (state as State) : undefined
}

/** The layout, if the decoder would have taken it from the wire, and its uses, which files of old do not have. */
function specOf(layout: unknown, maxFields: number): (Spec & { uses: number }) | undefined {
  if (!Array.isArray(layout)) return undefined
  const [version, scopes, hex, uses] = layout as unknown[]
  if ((version !== IPFIX && version !== NETFLOW9) || !isCount(scopes, -1, maxFields) || typeof hex !== 'string')
    return undefined
  const fields = Buffer.from(hex, 'hex')
  const record: TemplateRecord = { id: 0, scopes: -1, start: 0, end: 0, kind: 'broken' }
  const set = Buffer.concat([Buffer.from([1, 0, 0, 0]), fields])
  set.writeUInt16BE(countFields(fields, version), 2)
  readTemplate(new DataView(set.buffer, set.byteOffset, set.length), 0, set.length, version, false, maxFields, record)
  if (record.kind !== 'template' || record.end !== set.length || fields.length * 2 !== hex.length) return undefined
  return { version, scopes, fields: fields.toString('latin1'), uses: isCount(uses, 0, MOST_USES) ? uses : 0 }
}

function countFields(fields: Buffer, version: Version): number {
  let count = 0
  for (let at = 0; at + 4 <= fields.length; count++) at += version === IPFIX && fields[at]! >= 0x80 ? 8 : 4
  return count & 0xffff
}

function templateOf(
  row: unknown[],
  exporters: readonly unknown[],
  specs: readonly ReturnType<typeof specOf>[],
): ReadTemplate | undefined {
  if (row.length !== ROW) return undefined
  const [exporter, exporterPort, domain, id, layout, learnedS, proven] = row as number[]
  const address = exporters[exporter!]
  const spec = specs[layout!]
  if (typeof address !== 'string' || spec === undefined) return undefined
  if (!isCount(exporterPort, 0, 0xffff) || !isCount(domain, 0, 0xffff_ffff) || !isCount(id, 256, 0xffff))
    return undefined
  if (!isCount(learnedS, 0, 0xffff_ffff)) return undefined
  return { address, exporterPort, domain, id, learnedS, proven: proven === 1, ...spec }
}

function isCount(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
}
