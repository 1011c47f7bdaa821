import { type Config, OPTION_NAMES, type OptionName, optionFacts } from './options.ts'
import type { Loaded } from './load.ts'
import { showValue } from './types.ts'

export interface ShownOption {
  option: OptionName
  value: string
  origin: string
}

/** The effective configuration, one row an option, as `show config` prints it: with origins, secrets hidden. */
export function showConfig({ config, origins }: Loaded): ShownOption[] {
  return OPTION_NAMES.map((option) => ({ option, value: shownValue(config, option), origin: origins[option] }))
}

/** A value as it may be shown: secrets hidden. */
export function shownValue(config: Config, option: OptionName): string {
  const facts = optionFacts(option)
  const value = config[option]
  return facts.secret === true && typeof value === 'string' ? hideCredentials(value) : showValue(facts.type, value)
}

/** URLs with their passwords, and whatever else stands in for one, replaced by stars. */
export function hideCredentials(urls: string): string {
  return urls
    .split(/,(?=https?:\/\/)/)
    .map(hideInUrl)
    .join(',')
}

function hideInUrl(url: string): string {
  if (!URL.canParse(url)) return '***'
  const parsed = new URL(url)
  if (parsed.password !== '') parsed.password = '***'
  for (const name of parsed.searchParams.keys())
    if (/pass|secret|token|key/i.test(name)) parsed.searchParams.set(name, '***')
  return parsed.toString()
}
