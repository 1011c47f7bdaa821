/** Where the project's files are, for tests: they run from `dist/test`. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const PCAPS = `${ROOT}pcaps/`

/**
 * How much of a sweep over all bytes or rounds is done: 1 = all of it. `.ci/run` sweeps all on one version of Node.js and a fifth on
 * the other.
 */
export const SWEEP_STRIDE = process.env['SWEEP'] === 'coarse' ? 5 : 1

/** Captures of other projects, which may not be copied here; tests that use them say that they were skipped without it. */
export const INTEROP = process.env['OVSIGHT_INTEROP'] ?? `${ROOT}../shared/interop/`
export const HAS_INTEROP = existsSync(INTEROP)
