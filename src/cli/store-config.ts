import { givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import { type Config, type OptionName, SERVER_OPTIONS } from '../config/options.ts'
import type { CliContext } from './context.ts'

/** Whom a question is put to: a collector that is named, else the one that runs on the data directory, else the store. */
export const STORE_OPTIONS: readonly OptionName[] = ['data', ...SERVER_OPTIONS, 'url', 'token', 'token_file']

/** As commander read them. */
interface StoreFlags {
  config?: string | undefined
  data?: string | undefined
  url?: string | undefined
  tokenFile?: string | undefined
}

/**
 * The configuration of a question. A store that the command line names goes before a collector of the environment or the file. Errors:
 * config_invalid.
 */
export function storeConfig(context: CliContext, options: StoreFlags): Config {
  const flags = givenFlags({ ...options }, STORE_OPTIONS)
  const { config, origins } = loadConfig({ flags, file: options.config, env: context.env })
  const named = flags.data !== undefined || flags.clickhouse !== undefined
  return named && origins.url !== 'command line' ? { ...config, url: null } : config
}
