/** Where the project's files are, for tests: they run from `dist/test`. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PCAPS = `${ROOT}pcaps/`

/** Captures of other projects, which may not be copied here; tests that use them say that they were skipped without it. */
export const INTEROP = process.env['OVSIGHT_INTEROP'] ?? `${ROOT}../shared/interop/`
export const HAS_INTEROP = existsSync(INTEROP)
