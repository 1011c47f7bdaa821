/** Which parts of the source an input reached, by V8's own block coverage: what reaches something new is worth changing further. */
import { Session } from 'node:inspector'

/** As the inspector tells it: ranges run since the last look. */
interface Result {
  result: {
    scriptId: string
    url: string
    functions: { ranges: { startOffset: number; endOffset: number; count: number }[] }[]
  }[]
}

export class Coverage {
  private readonly session = new Session()
  private readonly known = new Set<string>()

  constructor() {
    this.session.connect()
    this.session.post('Profiler.enable')
    this.session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true })
  }

  /** Blocks reached so far. */
  get blocks(): number {
    return this.known.size
  }

  /** How many blocks were reached since the last call that never were before. */
  take(): number {
    const before = this.known.size
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error
      for (const { scriptId, url, functions } of (answer as Result).result) {
        // Generated decoders have no address.
        if (url !== '' && !url.includes('/src/')) continue
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            if (count > 0) this.known.add(url === '' ? `${endOffset}` : `${scriptId}:${startOffset}:${endOffset}`)
      }
    })
    return this.known.size - before
  }

  close(): void {
    this.session.disconnect()
  }
}
