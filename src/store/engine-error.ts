/**
 * What ClickHouse says when it refuses, `Code: 60. DB::Exception: … (UNKNOWN_TABLE)`, and what that means for us.
 * Codes: ClickHouse's src/Common/ErrorCodes.cpp.
 */
import { AppError } from '../errors.ts'

/** Codes that condemn the data of a block: it cannot be read, whatever the state of the server. */
const BAD_DATA: ReadonlySet<number> = new Set([
  6, // CANNOT_PARSE_TEXT
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  32, // ATTEMPT_TO_READ_AFTER_EOF
  33, // CANNOT_READ_ALL_DATA
  50, // UNKNOWN_TYPE
  53, // TYPE_MISMATCH
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  117, // INCORRECT_DATA
  128, // TOO_LARGE_ARRAY_SIZE
  131, // TOO_LARGE_STRING_SIZE
  190, // SIZES_OF_ARRAYS_DONT_MATCH
  271, // CANNOT_DECOMPRESS
  691, // UNKNOWN_ELEMENT_OF_ENUM
])

/** What a server may say of its own state: another one of the same shard need not, nor the same one in a while. */
const OWN_STATE: ReadonlySet<number> = new Set([
  202, // TOO_MANY_SIMULTANEOUS_QUERIES
  209, // SOCKET_TIMEOUT
  210, // NETWORK_ERROR
  225, // NO_ZOOKEEPER
  236, // ABORTED
  241, // MEMORY_LIMIT_EXCEEDED
  242, // TABLE_IS_READ_ONLY
  243, // NOT_ENOUGH_SPACE
  252, // TOO_MANY_PARTS
  279, // ALL_CONNECTION_TRIES_FAILED
  319, // UNKNOWN_STATUS_OF_INSERT
  425, // SYSTEM_ERROR
  439, // CANNOT_SCHEDULE_TASK
  999, // KEEPER_EXCEPTION
])

/** Codes that speak of the server, its disk, its load, its accounts or its tables: every block would meet them, until mended. */
const PASSING: ReadonlySet<number> = new Set([
  ...OWN_STATE,
  16, // NO_SUCH_COLUMN_IN_TABLE
  20, // NUMBER_OF_COLUMNS_DOESNT_MATCH
  60, // UNKNOWN_TABLE
  75, // CANNOT_WRITE_TO_FILE_DESCRIPTOR
  76, // CANNOT_OPEN_FILE
  81, // UNKNOWN_DATABASE
  159, // TIMEOUT_EXCEEDED
  160, // TOO_SLOW
  164, // READONLY
  192, // UNKNOWN_USER
  193, // WRONG_PASSWORD
  194, // REQUIRED_PASSWORD
  201, // QUOTA_EXCEEDED
  285, // TOO_FEW_LIVE_REPLICAS
  286, // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  341, // UNFINISHED
  394, // QUERY_WAS_CANCELLED
  473, // DEADLOCK_AVOIDED
  497, // ACCESS_DENIED
  516, // AUTHENTICATION_FAILED
])

/** Whether what the engine answered has nothing to do with the block. */
export function isPassing(code: number): boolean {
  return PASSING.has(code)
}

/** Whether another server, or the same one later, may answer otherwise. */
export function isOfTheMoment(code: number): boolean {
  return OWN_STATE.has(code)
}

/** An error that the engine itself answered. `summary` is its message without code, position and version. */
export class EngineError extends Error {
  readonly engineCode: number
  readonly summary: string

  constructor(message: string, engineCode?: number) {
    super(message)
    this.name = 'EngineError'
    this.engineCode = engineCode ?? Number(/Code: (\d+)\./.exec(message)?.[1] ?? 0)
    this.summary = summarize(message)
  }
}

/** The embedded engine ended while it worked on something. */
export class EngineDeath extends Error {}

/** The engine's code in what was thrown, where the engine did answer. */
export function engineCodeOf(error: unknown): number | undefined {
  const cause = error instanceof AppError ? error.cause : error
  return cause instanceof EngineError ? cause.engineCode : undefined
}

/**
 * What a failed insert means: `store_refused` for data that will not be read, else `store_unreachable`: kept, and tried again. What
 * is neither known to be the block's fault nor the server's, attempts.ts judges by how other blocks fare.
 */
export function insertFailure(store: string, rows: number, error: EngineError): AppError {
  return BAD_DATA.has(error.engineCode)
    ? new AppError('store_refused', `${store} cannot read a block of ${rows} rows: ${error.summary}`, { cause: error })
    : new AppError('store_unreachable', `${store} did not take a block of ${rows} rows: ${error.summary}`, {
        cause: error,
      })
}

/** What a failed statement of a migration means: nothing works before it is mended, by the server itself or by somebody. */
export function statementFailure(store: string, error: EngineError): AppError {
  if (isOfTheMoment(error.engineCode))
    return new AppError('store_unreachable', `${store} did not take a statement: ${error.summary}`, { cause: error })
  const ACCESS_DENIED = 497
  const advice =
    error.engineCode === ACCESS_DENIED ? '; give the user this grant, or run the statements of `ovsight show ddl`' : ''
  return new AppError('store_refused', `${store} refused a statement: ${error.summary}${advice}`, { cause: error })
}

/** What a failed question means. */
export function queryFailure(store: string, error: EngineError, timeoutMs: number): AppError {
  const TIMEOUT_EXCEEDED = 159
  const message =
    error.engineCode === TIMEOUT_EXCEEDED
      ? `the question took longer than ${timeoutMs / 1000} s and was stopped; ask for a shorter span or fewer dimensions`
      : `${store} could not answer: ${error.summary}`
  return new AppError('query_failed', message, { cause: error })
}

function summarize(message: string): string {
  return message
    .replace(/^(?:Code: \d+\. )?(?:DB::Exception: )?(?:Code: \d+\. DB::Exception: )*/s, '')
    .replace(/\s*\(version [^)]*\)/g, '')
    .replace(/\s*Stack trace:.*$/s, '')
    .trim()
}
