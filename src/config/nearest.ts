/** `; did you mean netflow_port?` for the known name nearest to a wrong one, or '' when none is near. */
export function nearest(wrong: string, known: readonly string[]): string {
  const ranked = known
    .map((name) => ({ name, steps: distance(wrong.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)
  const best = ranked[0]
  return best !== undefined && best.steps <= Math.max(2, Math.floor(best.name.length / 3))
    ? `; did you mean ${best.name}?`
    : ''
}

/** Levenshtein distance; names of the operator's own, so short that the square does not matter, cut all the same. */
function distance(a: string, b: string): number {
  const from = a.slice(0, 64)
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}
