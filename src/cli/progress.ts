import type { CliContext } from './context.ts'

const EVERY_MS = 250

/** A line on standard error that says how far it is, where there is a terminal. */
export class Progress {
  private readonly timer: NodeJS.Timeout | undefined
  private readonly context: CliContext
  private shown = 0

  constructor(context: CliContext, text: () => string) {
    this.context = context
    if (context.stderr.isTTY !== true) return
    this.timer = setInterval(() => {
      const line = text()
      context.stderr.write(`\r${line.padEnd(this.shown)}`)
      this.shown = line.length
    }, EVERY_MS)
    this.timer.unref()
  }

  /** Takes the line away. */
  end(): void {
    clearInterval(this.timer)
    if (this.shown > 0) this.context.stderr.write(`\r${' '.repeat(this.shown)}\r`)
  }
}
