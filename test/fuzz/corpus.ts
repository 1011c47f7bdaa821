/**
 * Inputs that are kept: `corpus/TARGET-what` in this folder. What broke a target (`crash-TARGET`), what took longest, and what no capture
 * of our own has. They are seeds of every run, and so run in every test.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { ROOT } from '../paths.ts'

const FOLDER = `${ROOT}test/fuzz/corpus/`

/** The inputs kept for a target. */
export function corpusOf(target: string): Uint8Array[] {
  return readdirSync(FOLDER)
    .filter((name) => name.startsWith(`${target}-`))
    .sort()
    .map((name) => Uint8Array.from(readFileSync(FOLDER + name)))
}
