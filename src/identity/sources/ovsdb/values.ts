/**
 * Values of OVSDB's JSON notation, RFC 7047 section 5.1.
 *
 *   atom   string | number | true | false | ["uuid", x] | ["named-uuid", x]
 *   set    ["set", [atom, …]], or the bare atom when it has exactly one element
 *   map    ["map", [[atom, atom], …]]
 *
 * An optional column that is empty is ["set", []]. The readers take what comes from the wire and never throw: what does not
 * fit the notation reads as absent.
 */
export type Row = Readonly<Record<string, unknown>>

/** A JSON object, and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Elements of a set; a bare atom is a set of one. */
export function setOf(value: unknown): readonly unknown[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value[0] === 'set') return Array.isArray(value[1]) ? value[1] : []
  return [value]
}

/** UUIDs of a set of references. */
export function uuidsOf(value: unknown): string[] {
  return setOf(value).flatMap((atom) => {
    const uuid = uuidOf(atom)
    return uuid === '' ? [] : [uuid]
  })
}

/** The one UUID of a reference, '' when it is empty. */
export function uuidOf(value: unknown): string {
  const atom = first(value)
  return Array.isArray(atom) && atom[0] === 'uuid' && typeof atom[1] === 'string' ? atom[1] : ''
}

/** A string column, '' when it is empty. */
export function textOf(value: unknown): string {
  const atom = first(value)
  return typeof atom === 'string' ? atom : ''
}

/** Strings of a set of strings. */
export function textsOf(value: unknown): string[] {
  return setOf(value).filter((atom) => typeof atom === 'string')
}

/** A number column, undefined when it is empty. */
export function numberOf(value: unknown): number | undefined {
  const atom = first(value)
  return typeof atom === 'number' && Number.isFinite(atom) ? atom : undefined
}

export function numbersOf(value: unknown): number[] {
  return setOf(value).filter((atom) => typeof atom === 'number')
}

export function flagOf(value: unknown): boolean {
  return first(value) === true
}

/** A map of strings to strings. */
export function mapOf(value: unknown): ReadonlyMap<string, string> {
  const map = new Map<string, string>()
  if (!Array.isArray(value) || value[0] !== 'map' || !Array.isArray(value[1])) return map
  for (const pair of value[1] as unknown[]) {
    if (!Array.isArray(pair)) continue
    const [key, item] = pair as unknown[]
    if (typeof key === 'string' && typeof item === 'string') map.set(key, item)
  }
  return map
}

function first(value: unknown): unknown {
  // ["uuid", x] is itself an array, so only a "set" is opened.
  return Array.isArray(value) && value[0] === 'set' ? setOf(value)[0] : value
}
