/**
 * SQL with bound parameters. Nothing a user wrote is ever part of the text: names come from the tables of this program,
 * values go through `Params`.
 */

export type ParamValue = string | number | readonly (string | number)[]

/** The types a bound parameter may have in the SQL text. */
export type ParamType =
  'String' | 'UInt64' | 'Int64' | 'Float64' | 'IPv6' | 'Array(String)' | 'Array(UInt64)' | 'Array(IPv6)'

/** SQL in which every value is a `{name:Type}`, and the values. */
export interface Plan {
  readonly sql: string
  readonly params: Readonly<Record<string, ParamValue>>
  /** The same question of the records alone, where this one is of their sums. */
  readonly records?: Plan
}

/** One answer of the engine; 64-bit integers are numbers when exact, else strings. */
export interface Result {
  readonly rows: Record<string, unknown>[]
}

/** Whatever answers plans: a `Store` is one. Errors: query_failed, store_unreachable. */
export interface Asker {
  /** The project in whose name it is asked; then only its views of flows and of their sums may be asked, see scope.ts. */
  readonly scope?: string
  query(plan: Plan): Promise<Result>
  /** On a cluster: asks a server of every shard, or every server, of itself; rows one after the other. */
  queryEvery?(what: 'server' | 'shard', plan: Plan): Promise<Result>
}

/** Collects the values of one plan and gives each a name. */
export class Params {
  readonly values: Record<string, ParamValue> = {}
  private count = 0
  private readonly prefix: string

  /** Names begin with `prefix`; two plans that become one have different ones. */
  constructor(prefix = 'p') {
    this.prefix = prefix
  }

  /** Binds a value and returns what stands for it in the SQL text. */
  bind(type: ParamType, value: ParamValue): string {
    const name = `${this.prefix}${this.count++}`
    this.values[name] = value
    return `{${name}:${type}}`
  }
}
