/** Items by a group that each is in for good, as chains through one array: for edits, which look at one group of very many items. */
export class Chains {
  private heads: Int32Array
  private readonly next: Int32Array
  private readonly groupOf: (item: number) => number
  private seen = 1

  /** Room for items below `room`; `groupOf` is asked once for each. */
  constructor(room: number, groupOf: (item: number) => number) {
    this.heads = new Int32Array(1024)
    this.next = new Int32Array(room)
    this.groupOf = groupOf
  }

  /** Items of a group, the last first; `count` is how many items there are. */
  of(group: number, count: number): number[] {
    for (; this.seen < count; this.seen++) this.add(this.groupOf(this.seen), this.seen)
    const found: number[] = []
    for (let item = this.heads[group] ?? 0; item !== 0; item = this.next[item]!) found.push(item)
    return found
  }

  private add(group: number, item: number): void {
    if (group >= this.heads.length) {
      const { heads } = this
      this.heads = new Int32Array(Math.max(group + 1, heads.length * 2))
      this.heads.set(heads)
    }
    this.next[item] = this.heads[group]!
    this.heads[group] = item
  }
}
