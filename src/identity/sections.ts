/** Names of the sections of a model of the cloud, apart from their schemas: those take a tenth of a second to load, and not every start needs them. */
export const SECTION_NAMES = [
  'hosts',
  'projects',
  'networks',
  'segments',
  'subnets',
  'ports',
  'servers',
  'routers',
  'floatingips',
  'trunks',
  'agents',
] as const

export type SectionName = (typeof SECTION_NAMES)[number]
