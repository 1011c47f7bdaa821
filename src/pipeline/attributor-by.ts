/** The attributor that a configuration asks for. */
import { Attributor, type AttributorOptions } from '../attribute/attributor.ts'
import type { Config } from '../config/options.ts'
import { expectsPorts } from '../late/unsure-rows.ts'

export function attributorBy(config: Config, more: AttributorOptions): Attributor {
  const { precedence, ipfix_sampling: ipfixSampling } = config
  return new Attributor({ precedence, ipfixSampling, portsToCome: expectsPorts(config), ...more })
}
