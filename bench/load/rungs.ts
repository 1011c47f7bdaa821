/**
 * A collector that goes only so far along the way of a record, so that what each step costs is the difference of two:
 *
 *   receive     recvmmsg(2) through koffi; the datagrams are counted and not looked at
 *   decode      into columns, which are emptied when a block is full
 *   attribute   both ends found, each row given the number of its answer
 *   sum         and the records summed by minute and ends
 *   all         and the columns written as a Native block: what a collector does (Intake)
 */
import type { Intake } from '../../src/pipeline/intake.ts'
import { type NativeBlock, NativeEncoder } from '../../src/schema/native.ts'

export const RUNGS = ['receive', 'decode', 'attribute', 'sum', 'all'] as const
export type Rung = (typeof RUNGS)[number]

const NOTHING = new Uint8Array(0)

/** Lets an intake that has not begun go only so far. */
export function stopAt(rung: Rung, { built: { pipeline } }: Intake): void {
  if (rung === 'receive') pipeline.feed = () => {}
  if (rung === 'decode') pipeline.parts.attribute = () => {}
  if (rung !== 'all') pipeline.encoder = new Without(rung === 'sum')
}

/** Blocks without bytes. */
class Without {
  private readonly encoder = new NativeEncoder()
  private readonly summed: boolean

  constructor(summed: boolean) {
    this.summed = summed
  }

  encode(batches: Parameters<NativeEncoder['encode']>[0]): NativeBlock {
    const filled = this.encoder.read(batches)
    const sums = this.summed ? this.encoder.sum(batches, filled) : { columns: [], rows: 0, bytes: NOTHING }
    return { ...filled, bytes: NOTHING, sums, release() {} }
  }
}
