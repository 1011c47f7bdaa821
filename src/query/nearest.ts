/**
 * The nearest of several names to a misspelt one, for error messages.
 */

/** Names longer than this are not compared: the cost is quadratic, and nobody misspells by that much. */
const MAX_LENGTH = 64

/**
 * The names nearest to `word`, best first, at most `limit`; none when all are far. Costs one Levenshtein distance a name.
 */
export function nearest(word: string, names: Iterable<string>, limit = 3): string[] {
  if (word.length > MAX_LENGTH) return []
  const wanted = word.toLowerCase()
  const found: { name: string; distance: number }[] = []
  for (const name of names) {
    const distance = distanceBetween(wanted, name.toLowerCase())
    if (distance <= allowed(wanted, name)) found.push({ name, distance })
  }
  return found
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, limit)
    .map(({ name }) => name)
}

/** `; did you mean a, b or c?`, or the empty string. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const found = nearest(word, names)
  if (found.length === 0) return ''
  const last = found.pop()!
  return `; did you mean ${found.length === 0 ? '' : `${found.join(', ')} or `}${last}?`
}

/** A third of the letters may be wrong, but at least one; a word that the name starts with is near. */
function allowed(word: string, name: string): number {
  const longest = Math.max(word.length, name.length)
  return Math.max(1, Math.floor(longest / 3))
}

/** Levenshtein distance in which swapping two neighbours is one edit. */
export function distanceBetween(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1)
      row.push(cost)
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}
