/** A refusal as the real server words it: code and name of ClickHouse's ErrorCodes.cpp. */
export class Refusal extends Error {
  readonly code: number
  readonly codeName: string
  readonly status: number

  constructor(code: number, codeName: string, message: string, status = statusOf(code)) {
    super(message)
    this.code = code
    this.codeName = codeName
    this.status = status
  }
}

/** HTTP status of an error, as the server gives them (exceptionCodeToHTTPStatus.cpp). */
const STATUS: Readonly<Record<number, readonly number[]>> = {
  400: [6, 8, 15, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 72, 117, 167, 168, 223, 321, 427],
  403: [164, 497],
  404: [46, 47, 50, 60, 63, 73, 78, 81, 115],
  408: [159, 160],
  413: [396],
  501: [48],
  503: [202, 210],
}

export function statusOf(code: number): number {
  return Number(Object.entries(STATUS).find(([, codes]) => codes.includes(code))?.[0] ?? 500)
}
