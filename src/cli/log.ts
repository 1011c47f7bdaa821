import type { Config } from '../config/options.ts'
import { type Logger, createLog } from '../telemetry/log.ts'
import type { CliContext } from './context.ts'

/** Logs to standard error as the configuration says. */
export function logOf(config: Config, { stderr }: CliContext): Logger {
  const format = config.log_format as 'auto' | 'json' | 'text'
  return createLog({ level: config.log_level, format, to: stderr })
}
