/** Where the columns of a block of sums are made. */

/** Memory in which a column is made before it is written, used again for the next one and the next block. */
export class Scratch {
  private room = 0
  private groups = -1
  private memory = new ArrayBuffer(0)
  private lanes = { low: new Uint32Array(0), high: new Uint32Array(0) }
  private views = viewsOf(this.memory, 0)
  private hashes = { ...this.lanes }

  /** Views for so many groups. All but `low` and `high` are of the same memory. */
  of(groups: number): Views & { low: Uint32Array; high: Uint32Array } {
    if (groups !== this.groups) this.cut(groups)
    return { ...this.views, ...this.hashes }
  }

  private cut(groups: number): void {
    if (groups > this.room) {
      this.room = groups * 2
      this.memory = new ArrayBuffer(this.room * 8)
      this.lanes = { low: new Uint32Array(this.room), high: new Uint32Array(this.room) }
    }
    this.groups = groups
    this.views = viewsOf(this.memory, groups)
    this.hashes = { low: this.lanes.low.subarray(0, groups), high: this.lanes.high.subarray(0, groups) }
  }
}

export type Values = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>
type Views = ReturnType<typeof viewsOf>

function viewsOf(memory: ArrayBuffer, groups: number) {
  return {
    bytes: new Uint8Array(memory, 0, groups),
    halves: new Uint16Array(memory, 0, groups),
    words: new Uint32Array(memory, 0, groups),
    wide: new Uint32Array(memory, 0, groups * 2),
    floats: new Float64Array(memory, 0, groups),
  }
}
