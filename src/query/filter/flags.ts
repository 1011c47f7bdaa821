/** TCP flags by letter, as tcpdump and nfdump write them: RFC 9293 §3.1, RFC 3168 (E, C), RFC 3540 (N). */
export const FLAGS = { F: 0x01, S: 0x02, R: 0x04, P: 0x08, A: 0x10, U: 0x20, E: 0x40, C: 0x80, N: 0x100 } as const

/** The bits of `SA`; undefined when a letter is no flag or there is none. */
export function flagBits(letters: string): number | undefined {
  let bits = 0
  for (const letter of letters.toUpperCase()) {
    if (!Object.hasOwn(FLAGS, letter)) return undefined
    bits |= FLAGS[letter as keyof typeof FLAGS]
  }
  return bits === 0 ? undefined : bits
}

/** The letters of the bits, `SA`; bits without a letter are left out. */
export function flagLetters(bits: number): string {
  return Object.entries(FLAGS)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([letter]) => letter)
    .join('')
}
