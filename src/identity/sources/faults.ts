/** Faults of an identity file, gathered so that all of them are told at once, each with its place in the file. */
import type { Document, LineCounter, Node } from 'yaml'
import { isMap, isNode, isScalar } from 'yaml'
import type { z } from 'zod'
import { nearest } from '../../config/nearest.ts'
import { AppError } from '../../errors.ts'
import { HOST_KEYS, SECTIONS } from '../cloud.ts'

/** How zod says that a key is not there. */
const MISSING = /received undefined$/

export class Faults {
  readonly warnings: string[] = []
  private readonly faults: { at: number; text: string }[] = []
  private readonly file: string
  private readonly document: Document
  private readonly lines: LineCounter

  constructor(file: string, document: Document, lines: LineCounter) {
    this.file = file
    this.document = document
    this.lines = lines
  }

  /** A fault at a path of the document, such as `['ports', 3, 'mac_address']`. */
  add(path: readonly PropertyKey[], message: string): void {
    this.push(this.offsetOf(path), `${pathText(path)}: ${message}`)
  }

  /** A fault at an offset of the text, where there is no path yet. */
  addAt(offset: number, message: string): void {
    this.push(offset, message)
  }

  warn(path: readonly PropertyKey[], message: string): void {
    this.warnings.push(`${this.placeOf(this.offsetOf(path))}: ${pathText(path)}: ${message}`)
  }

  addIssues(issues: readonly z.core.$ZodIssue[]): void {
    for (const issue of issues) {
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) this.addKey(issue.path, key)
      } else this.add(issue.path, MISSING.test(issue.message) ? 'is missing' : issue.message)
    }
  }

  private addKey(path: readonly PropertyKey[], key: string): void {
    const known = path.length === 0 ? Object.keys(SECTIONS) : HOST_KEYS
    this.push(this.offsetOfKey(path, key), `${pathText([...path, key])}: unknown key${nearest(key, known)}`)
  }

  /** Throws `identity_invalid` with all faults, in the order of the file. */
  throwIfAny(): void {
    if (this.faults.length === 0) return
    const details = this.faults.toSorted((a, b) => a.at - b.at).map((fault) => fault.text)
    const count = details.length === 1 ? 'a fault' : `${details.length} faults`
    throw new AppError('identity_invalid', `the identity file ${this.file} has ${count}; mend the lines named`, {
      details,
    })
  }

  private push(at: number, message: string): void {
    this.faults.push({ at, text: `${this.placeOf(at)}: ${message}` })
  }

  private placeOf(offset: number): string {
    const { line, col } = this.lines.linePos(offset)
    return `${this.file}:${line}:${col}`
  }

  /** Where the node of a path begins; where there is none (a missing key), the nearest node that holds it. */
  private offsetOf(path: readonly PropertyKey[]): number {
    for (let length = path.length; length >= 0; length--) {
      const node = this.nodeAt(path.slice(0, length))
      if (node?.range) return node.range[0]
    }
    return 0
  }

  private offsetOfKey(path: readonly PropertyKey[], key: string): number {
    const node = this.nodeAt(path)
    const pair = isMap(node) ? node.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined
    return (isScalar(pair?.key) ? pair.key.range?.[0] : undefined) ?? this.offsetOf(path)
  }

  private nodeAt(path: readonly PropertyKey[]): Node | undefined {
    const found: unknown = path.length === 0 ? this.document.contents : this.document.getIn(path, true)
    return isNode(found) ? found : undefined
  }
}

/** `ports[3].mac_address`, keys with a colon in quotes. */
function pathText(path: readonly PropertyKey[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += `${text === '' ? '' : '.'}${String(part).includes(':') ? `"${String(part)}"` : String(part)}`
  }
  return text === '' ? 'the file' : text
}
