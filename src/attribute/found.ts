/** What was found for the rows of a chunk, kept until their answers are looked up. */

/** Rows resolved before their answers are looked up: few enough that what they need of the model is still in the cache. */
export const CHUNK = 256

export class Found {
  readonly sources = new Int32Array(CHUNK)
  readonly destinations = new Int32Array(CHUNK)
  /** Hosts that override those of the endpoints, 0 = as the model has it. */
  readonly sourceHosts = new Int32Array(CHUNK)
  readonly destinationHosts = new Int32Array(CHUNK)
  readonly hosts = new Int32Array(CHUNK)
  readonly bridges = new Int32Array(CHUNK)
  readonly inIfs = new Int32Array(CHUNK)
  readonly outIfs = new Int32Array(CHUNK)
  /** Grade, evidence and number of candidates of both ends. */
  readonly sourceGrades = new Uint8Array(CHUNK)
  readonly destinationGrades = new Uint8Array(CHUNK)
  readonly sourceEvidence = new Uint8Array(CHUNK)
  readonly destinationEvidence = new Uint8Array(CHUNK)
  readonly sourceCandidates = new Uint16Array(CHUNK)
  readonly destinationCandidates = new Uint16Array(CHUNK)
  readonly roles = new Uint8Array(CHUNK)
  /** Bits of COUNTS. */
  readonly counts = new Uint8Array(CHUNK)
}

/** In which totals a record is. */
export const COUNTS = { sent: 1, received: 2, once: 4 } as const
