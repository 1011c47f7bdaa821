/** How many templates and layouts of records are held, and for how long. What goes beyond is counted. */
export interface TemplateLimits {
  /** Templates held in all. */
  readonly maxTemplates: number
  /** Templates held of one exporter. OVN sends 88 for every observation domain. */
  readonly maxTemplatesPerExporter: number
  /** Fields of a template. */
  readonly maxFields: number
  /** Different layouts held. */
  readonly maxLayouts: number
  /**
   * Layouts never seen before that one datagram may bring: each costs 3 to 5 µs before its first record is decoded. An ordinary datagram holds so many of
   * twelve fields; a template beyond them is not learned before it comes again.
   */
  readonly maxNewLayouts: number
  /** For how long a template is held that neither comes again nor is used. */
  readonly maxAgeMs: number
}

export const TEMPLATE_LIMITS: TemplateLimits = {
  maxTemplates: 262_144,
  maxTemplatesPerExporter: 16_384,
  maxFields: 512,
  maxLayouts: 1024,
  maxNewLayouts: 32,
  maxAgeMs: 7 * 86_400_000,
}
