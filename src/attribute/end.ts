/** The answer for one end of a record: who it is, how sure, why. Two objects are reused for all records. */
import { EVIDENCE, GRADE } from './codes.ts'

export class End {
  endpoint = 0
  grade = 0
  evidence = 0
  /** How many endpoints it could be; only kept when there are several. */
  candidates = 0
  /** Those endpoints. */
  several: readonly number[] = []
  /** Host where it was seen, when that is known better than by the model: 0 = as the model says. */
  host = 0

  clear(evidence: number): void {
    this.set(0, GRADE.unknown, evidence)
  }

  set(endpoint: number, grade: number, evidence: number): void {
    this.endpoint = endpoint
    this.grade = grade
    this.evidence = evidence
    this.candidates = 0
    this.host = 0
  }

  /** Several endpoints are possible, none is picked. */
  ambiguous(several: readonly number[]): void {
    this.set(0, GRADE.ambiguous, EVIDENCE.several_matches)
    this.candidates = several.length
    this.several = several
  }
}
