/** So many questions at a time; some more wait a while, the rest are refused. */
import { Refusal } from './refusal.ts'

export class Slots {
  private free: number
  private readonly most: number
  private readonly waitMs: number
  private readonly waiting: (() => void)[] = []

  constructor(slots: number, { most, waitMs }: { most: number; waitMs: number }) {
    this.free = slots
    this.most = most
    this.waitMs = waitMs
  }

  /** Resolves with what gives the slot back, once. Errors: Refusal. */
  async take(): Promise<() => void> {
    if (this.free > 0) this.free--
    else await this.wait()
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = this.waiting.shift()
      if (next === undefined) this.free++
      else next()
    }
  }

  private wait(): Promise<void> {
    if (this.waiting.length >= this.most) throw busy(`${this.most} questions wait already`)
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(go), 1)
        reject(busy(`waited ${this.waitMs / 1000} s`))
      }, this.waitMs)
      this.waiting.push(go)
    })
  }
}

function busy(why: string): Refusal {
  return new Refusal(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', `Too many simultaneous queries: ${why}`)
}
