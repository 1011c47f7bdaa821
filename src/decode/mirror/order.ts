/** An order over the numbers 0 … capacity-1: a doubly linked list in two arrays. */
export class Order {
  /** First in the order, -1 when it is empty. */
  head = -1
  private tail = -1
  private readonly next: Int32Array
  private readonly previous: Int32Array

  constructor(capacity: number) {
    this.next = new Int32Array(capacity)
    this.previous = new Int32Array(capacity)
  }

  append(item: number): void {
    this.next[item] = -1
    this.previous[item] = this.tail
    if (this.tail < 0) this.head = item
    else this.next[this.tail] = item
    this.tail = item
  }

  remove(item: number): void {
    const before = this.previous[item]!
    const after = this.next[item]!
    if (before < 0) this.head = after
    else this.next[before] = after
    if (after < 0) this.tail = before
    else this.previous[after] = before
  }

  /** Makes `item` the last. */
  touch(item: number): void {
    if (item === this.tail) return
    this.remove(item)
    this.append(item)
  }
}
