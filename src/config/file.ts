/** The YAML configuration file: one mapping of option names to values. */
import { nearest } from './nearest.ts'
import { OPTION_NAMES, type OptionName } from './options.ts'
import { yaml } from './yaml.ts'

export interface FileValue {
  value: unknown
  /** `ovsight.yaml:3`. */
  at: string
}

const NAMES: ReadonlySet<string> = new Set(OPTION_NAMES)

/** Values of `text`, the file at `path`; appends what is wrong to `faults`, each with file and line. */
export function readConfigFile(path: string, text: string, faults: string[]): Map<OptionName, FileValue> {
  const values = new Map<OptionName, FileValue>()
  const { LineCounter, isMap, isScalar, parseDocument } = yaml()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number | undefined) => `${path}:${lines.linePos(offset ?? 0).line}`
  for (const error of document.errors) faults.push(`${at(error.pos[0])}: ${error.message}`)
  if (document.errors.length > 0 || document.contents === null) return values
  if (!isMap(document.contents)) {
    faults.push(`${at(document.contents.range?.[0])}: the file is not a list of "option: value" lines`)
    return values
  }
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : String(key)
    const line = at(isScalar(key) ? key.range?.[0] : undefined)
    if (!NAMES.has(name)) faults.push(`${line}: ${name}: no such option${nearest(name, OPTION_NAMES)}`)
    else values.set(name as OptionName, { value: toValue(value), at: line })
  }
  return values
}

function toValue(node: unknown): unknown {
  return node === null ? null : (node as { toJSON(): unknown }).toJSON()
}
