import { readFileSync } from 'node:fs'

/** The version of package.json, which lies two folders above `dist/src`. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }
).version
