/**
 * The sections of the cloud from several sources, one over the other: what the identity file says goes before what the APIs say,
 * entry by entry. Tells every entry that changed.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { SECTION_NAMES, type SectionName } from '../sections.ts'
import type { CloudSections } from '../sources/openstack/model.ts'

export type SectionEntry<S extends SectionName = SectionName> = CloudSections[S][number]

/** From the lowest to the highest. */
export const LAYERS = ['ovn', 'cloud', 'file'] as const
export type LayerName = (typeof LAYERS)[number]

/** Told of an entry that is new, different, or gone. */
export type OnEntry = (section: SectionName, before: SectionEntry | undefined, after: SectionEntry | undefined) => void

type Entries = Record<SectionName, Map<string, SectionEntry>>

/** Entries compared without giving way to the pipeline: a few milliseconds. */
const SLICE = 5_000

export class Layers {
  private readonly layers: Record<LayerName, Entries> = {
    ovn: noEntries(),
    cloud: noEntries(),
    file: noEntries(),
  }
  private readonly effective = noEntries()

  /** What all layers together say of a section, by `entryKey`. */
  section<S extends SectionName>(name: S): ReadonlyMap<string, SectionEntry<S>> {
    return this.effective[name]
  }

  /** Everything, as lists. */
  sections(): CloudSections {
    return Object.fromEntries(
      SECTION_NAMES.map((name) => [name, [...this.effective[name].values()]]),
    ) as unknown as CloudSections
  }

  /** The layer whose entry it is. */
  layerOf(section: SectionName, key: string): LayerName | undefined {
    return LAYERS.toReversed().find((layer) => this.layers[layer][section].has(key))
  }

  /** What one layer says. */
  layer(name: LayerName): CloudSections {
    return Object.fromEntries(
      SECTION_NAMES.map((section) => [section, [...this.layers[name][section].values()]]),
    ) as unknown as CloudSections
  }

  /** Takes entries over; with `whole`, those that are not among them are gone. Gives way between slices. */
  async put(layer: LayerName, sections: CloudSections, whole: boolean, onEntry: OnEntry): Promise<void> {
    let done = 0
    for (const name of SECTION_NAMES) {
      // Of what there was nothing before, nothing can be gone.
      const given = whole && this.layers[layer][name].size > 0 ? new Set<string>() : undefined
      for (const entry of sections[name]) {
        const key = entryKey(entry)
        given?.add(key)
        this.set(layer, name, key, entry, onEntry)
        if (++done % SLICE === 0) await turn()
      }
      if (given === undefined) continue
      for (const key of this.layers[layer][name].keys()) {
        if (!given.has(key)) this.set(layer, name, key, undefined, onEntry)
        if (++done % SLICE === 0) await turn()
      }
    }
  }

  remove(layer: LayerName, section: SectionName, key: string, onEntry: OnEntry): void {
    if (this.layers[layer][section].has(key)) this.set(layer, section, key, undefined, onEntry)
  }

  private set(
    layer: LayerName,
    section: SectionName,
    key: string,
    entry: SectionEntry | undefined,
    onEntry: OnEntry,
  ): void {
    const own = this.layers[layer][section]
    if (entry === undefined) own.delete(key)
    else own.set(key, entry)
    const { file, cloud, ovn } = this.layers
    // Most layers are empty: a look-up by a long id costs more than to ask that.
    const of = (entries: Map<string, SectionEntry>) => (entries.size === 0 ? undefined : entries.get(key))
    const after = of(file[section]) ?? of(cloud[section]) ?? of(ovn[section])
    const effective = this.effective[section]
    const before = of(effective)
    if (after === before) return
    if (after === undefined) effective.delete(key)
    else effective.set(key, after)
    if (!sameEntry(before, after)) onEntry(section, before, after)
  }
}

/** By what an entry is known: its id, a host by its name, an agent or a segment without an id by all it says. */
export function entryKey(entry: SectionEntry): string {
  if ('id' in entry) return entry.id
  return 'name' in entry ? entry.name : JSON.stringify(entry)
}

/** Whether two entries say the same; when they were last touched is not part of it. */
function sameEntry(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  for (const key of keys) {
    if (key === 'updated_at') continue
    if (!sameEntry((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false
  }
  return true
}

function noEntries(): Entries {
  return Object.fromEntries(SECTION_NAMES.map((name) => [name, new Map()])) as unknown as Entries
}
