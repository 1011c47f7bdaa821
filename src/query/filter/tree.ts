/**
 * What a filter says. `and` and `or` hold two or more; nesting is as deep as the text had it, at most MAX_DEPTH.
 */
export type Tree = Group | Not | Test

export interface Group {
  readonly type: 'and' | 'or'
  readonly items: readonly Tree[]
}

export interface Not {
  readonly type: 'not'
  readonly item: Tree
}

/** One condition on one field. */
export interface Test {
  readonly type: 'test'
  /** Name of a field, see fields.ts. */
  readonly field: string
  /** Which end: `any` is either end (and the only one for fields that are not of an end), `both` is each. */
  readonly end: End
  readonly op: Op
  /** One value, or those of a list; see types.ts for what a field's type makes of the text. */
  readonly values: readonly Value[]
}

export type End = 'any' | 'src' | 'dst' | 'both'
export type Value = string | number
export type Op = '=' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in' | 'like' | 'not like'

/** Parentheses and `not` inside one another. */
export const MAX_DEPTH = 100

/** Values in all tests together: what the engine's limit on a statement's size allows, with room to spare. */
export const MAX_VALUES = 500
