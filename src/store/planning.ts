/**
 * What the embedded engine leaves out when it plans a question of this program.
 *
 * Each pass walks through all of a statement, on one thread, and a question on sums has hundreds of expressions over three tables. These look
 * for what this program never writes, and a quarter of planning is theirs; each alone is too little to measure. Questions of others (the door) are
 * planned with all. So are those of a server, whose version is not ours to know. `test/store/planning.test.ts` holds the names.
 */
const PASSES = [
  // Aggregates of functions: sum(1), sumIf(1, …), sum(x * 2), any(f(x)), uniq of one value, sum and count beside avg.
  'optimize_aggregators_of_group_by_keys',
  'optimize_arithmetic_operations_in_aggregate_functions',
  'optimize_injective_functions_inside_uniq',
  'optimize_normalize_count_variants',
  'optimize_rewrite_aggregate_function_with_if',
  'optimize_rewrite_sum_if_to_count_if',
  'optimize_syntax_fuse_functions',
  'optimize_uniq_to_count',
  // Keys and orders that are functions of other keys.
  'optimize_group_by_function_keys',
  'optimize_injective_functions_in_group_by',
  'optimize_injective_functions_in_limit_by',
  'optimize_limit_by_function_keys',
  'optimize_redundant_functions_in_order_by',
  // Functions over arrays, maps, dictionaries, patterns.
  'optimize_dictget_tuple_element',
  'optimize_empty_string_comparisons',
  'optimize_functions_to_subcolumns',
  'optimize_inverse_dictionary_lookup',
  'optimize_qbit_distance_function_reads',
  'optimize_rewrite_array_exists_to_has',
  'optimize_rewrite_has_to_in',
  'optimize_rewrite_like_perfect_affix',
  'optimize_rewrite_regexp_functions',
] as const

/** A statement that a session keeps. */
export const PLAN_LESS = `SET ${PASSES.map((name) => `${name} = 0`).join(', ')}`
