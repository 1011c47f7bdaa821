/**
 * THE table of operational errors. A code is stable: scripts match on it, docs/errors.md lists it, nothing else may be thrown
 * for a fault the operator can mend. Bad input from the network is not here: that is a status of `decode/`, never thrown.
 */
export const ERRORS = {
  usage: {
    exit: 2,
    http: 400,
    retriable: false,
    doc: 'The command line or the request is wrong; the message names the option, argument or parameter.',
  },
  config_invalid: {
    exit: 2,
    http: 400,
    retriable: false,
    doc: 'One or more options are wrong; each is listed with its path.',
  },
  identity_invalid: {
    exit: 2,
    http: 500,
    retriable: false,
    doc: 'The identity file has faults; each is listed with its line and path.',
  },
  column_unknown: {
    exit: 2,
    http: 400,
    retriable: false,
    doc: 'No column has this name; the nearest names are given.',
  },
  filter_invalid: {
    exit: 2,
    http: 400,
    retriable: false,
    doc: 'The filter does not parse; the column of the mistake is given.',
  },
  name_ambiguous: {
    exit: 2,
    http: 400,
    retriable: false,
    doc: 'Several things have the name that a filter asks for; their ids are listed.',
  },
  record_unknown: { exit: 2, http: 404, retriable: false, doc: 'No stored record has this id.' },
  time_invalid: { exit: 2, http: 400, retriable: false, doc: 'A time or a span does not parse, or the span is empty.' },
  file_unreadable: {
    exit: 3,
    http: 500,
    retriable: false,
    doc: 'A file cannot be read: missing, not permitted, or not what it should be.',
  },
  capture_cut: {
    exit: 4,
    http: 500,
    retriable: false,
    doc: 'A capture ends in the middle of a packet; what was sound before it is stored.',
  },
  port_in_use: { exit: 5, http: 500, retriable: false, doc: 'A port to listen on is taken by another process.' },
  socket_refused: {
    exit: 5,
    http: 500,
    retriable: false,
    doc: 'A socket could not be opened; the message says which privilege or address is missing.',
  },
  token_missing: {
    exit: 10,
    http: 401,
    retriable: false,
    doc: 'The API wants a token: ovsight token create makes one.',
  },
  token_refused: {
    exit: 10,
    http: 401,
    retriable: false,
    doc: 'The token is forged, expired, revoked, or of a project that is no more.',
  },
  not_allowed: { exit: 10, http: 403, retriable: false, doc: 'The token is of a project, and this is for operators.' },
  rate_limited: { exit: 10, http: 429, retriable: true, doc: 'Too many requests; retry-after says when to go on.' },
  not_well: { exit: 11, http: 503, retriable: false, doc: 'ovsight doctor has found something; it is listed.' },
  already_imported: {
    exit: 12,
    http: 409,
    retriable: false,
    doc: 'The same file was imported before; --again stores it once more.',
  },
  lines_damaged: {
    exit: 13,
    http: 400,
    retriable: false,
    doc: 'Lines of an imported file could not be read; the first are listed with their numbers, everything else is stored.',
  },
  file_exists: {
    exit: 3,
    http: 409,
    retriable: false,
    doc: 'A file to be written is there already; --force replaces it.',
  },
  data_dir_locked: { exit: 6, http: 503, retriable: false, doc: 'Another process holds the data directory.' },
  data_dir_unwritable: { exit: 6, http: 500, retriable: false, doc: 'The data directory cannot be made or written.' },
  store_unavailable: {
    exit: 7,
    http: 503,
    retriable: false,
    doc: 'The embedded engine is not installed on this machine; give a ClickHouse URL.',
  },
  store_unreachable: {
    exit: 7,
    http: 503,
    retriable: true,
    doc: 'The store did not answer; flows are held, then dropped and counted.',
  },
  store_refused: {
    exit: 7,
    http: 500,
    retriable: false,
    doc: 'The store refused a statement for good; its own message is quoted.',
  },
  store_newer: {
    exit: 7,
    http: 500,
    retriable: false,
    doc: 'The database was written by a newer ovsight; upgrade this one.',
  },
  query_failed: {
    exit: 8,
    http: 500,
    retriable: false,
    doc: 'The store could not answer the question; its own message is quoted.',
  },
  cloud_unreachable: {
    exit: 9,
    http: 503,
    retriable: true,
    doc: 'An OpenStack API did not answer, or answered with a fault of its own; the last good model goes on.',
  },
  cloud_denied: {
    exit: 9,
    http: 502,
    retriable: false,
    doc: 'OpenStack refused the login or the rights of its user; ovsight needs the admin role to see all projects.',
  },
  cloud_refused: {
    exit: 9,
    http: 502,
    retriable: false,
    doc: 'An OpenStack API refused a request, or the catalog has no such endpoint.',
  },
  cloud_incomplete: {
    exit: 9,
    http: 502,
    retriable: true,
    doc: 'An OpenStack API answered with less than everything; the answer is not used, since what is missing would look deleted.',
  },
} as const satisfies Record<string, ErrorFacts>

interface ErrorFacts {
  /** Exit code of the command line. */
  exit: number
  /** Status code of the HTTP API. */
  http: number
  /** Whether trying again may help. */
  retriable: boolean
  doc: string
}

export type ErrorCode = keyof typeof ERRORS

/**
 * A fault the operator can mend. `message` says what was tried, with what, and what to do; `details` are further lines
 * (one fault each). Match on `code`, never on the message.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: readonly string[]

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: readonly string[] } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'AppError'
    this.code = code
    this.details = options.details ?? []
  }

  get exitCode(): number {
    return ERRORS[this.code].exit
  }

  get retriable(): boolean {
    return ERRORS[this.code].retriable
  }
}
