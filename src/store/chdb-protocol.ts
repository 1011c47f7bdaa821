/** What goes between the store and the process that holds the engine. */

/** Inserts and DDL have a session of their own, so that a slow question does not hold them up. */
export type Lane = 'write' | 'read' | 'door' | 'stream'

export interface EngineRequest {
  id: number
  lane: Lane
  /** Run in order in one session; the answer of the last one is the answer. */
  statements: readonly string[]
  format: string
  /** The answer as bytes, for formats that are no text. */
  binary?: boolean
}

export interface EngineAnswer {
  text: string
  bytes?: Uint8Array
  /** Rows the engine took in; for an insert those of its file. */
  rowsRead: number
  bytesRead: number
  elapsedS: number
}

export type ToEngine = EngineRequest | { close: true }

export type FromEngine =
  | { ready: true }
  /** The engine did not start; `missing`: it is not installed or not for this machine. */
  | { failed: string; missing: boolean }
  | { id: number; answer: EngineAnswer }
  | { id: number; error: string }
