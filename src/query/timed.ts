import type { Asker, Plan, Result } from './plan.ts'

/** An asker that notes how long each statement took, for people who ask why an answer was slow. */
export class TimedAsker implements Asker {
  readonly scope?: string
  /** Milliseconds from asking to answer, in the order of the answers. */
  readonly statements: number[] = []

  private readonly asker: Asker

  constructor(asker: Asker) {
    this.asker = asker
    if (asker.scope !== undefined) this.scope = asker.scope
  }

  async query(plan: Plan): Promise<Result> {
    const start = performance.now()
    try {
      return await this.asker.query(plan)
    } finally {
      this.statements.push(performance.now() - start)
    }
  }
}

/** `7 statements (12 9 35 …)`, milliseconds. */
export function statementsText(statements: readonly number[]): string {
  const each = statements.map((ms) => ms.toFixed(0)).join(' ')
  return `${statements.length} statement${statements.length === 1 ? '' : 's'}${each === '' ? '' : ` (${each})`}`
}
