/**
 * Beats of threads in shared memory: each adds one whenever its event loop turns, and whoever watches counts how many looks went by without.
 * Looks are counted, not time: a machine that was suspended, or its clock set, stops nobody.
 */
export class Beats {
  readonly shared: SharedArrayBuffer
  private readonly counts: Int32Array
  private readonly last: Int32Array
  private readonly missed: Uint32Array
  /** What a thread's beats stood at when it was given its place. */
  private readonly first: Int32Array

  constructor(threads: number | SharedArrayBuffer) {
    this.shared = typeof threads === 'number' ? new SharedArrayBuffer(threads * 4) : threads
    this.counts = new Int32Array(this.shared)
    this.last = new Int32Array(this.counts.length)
    this.missed = new Uint32Array(this.counts.length)
    this.first = new Int32Array(this.counts.length)
  }

  /** Thread `number` lives. */
  beat(number: number): void {
    Atomics.add(this.counts, number, 1)
  }

  /** To be called at each look; how many looks in a row a thread has not beaten. */
  look(number: number): number {
    const now = Atomics.load(this.counts, number)
    this.missed[number] = now === this.last[number] ? this.missed[number]! + 1 : 0
    this.last[number] = now
    return this.missed[number]
  }

  /** Another thread has the place. */
  renew(number: number): void {
    this.missed[number] = 0
    this.first[number] = Atomics.load(this.counts, number)
  }

  /** Whether the thread in a place has beaten at all: until then it is being loaded. */
  begun(number: number): boolean {
    return Atomics.load(this.counts, number) !== this.first[number]
  }
}
