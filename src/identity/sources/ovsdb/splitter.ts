/**
 * Splits a stream into JSON objects. JSON-RPC 1.0 over a byte stream (RFC 7047, section 4) has no framing: objects follow
 * each other with or without space, and a read may end anywhere, also inside a string, an escape or a UTF-8 sequence.
 *
 * Only bytes below 0x80 steer: every byte of a longer UTF-8 sequence is above, so bytes may be looked at one by one.
 */
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = new Set([0x7b, 0x5b])
const CLOSE = new Set([0x7d, 0x5d])
const SPACE = new Set([0x20, 0x09, 0x0a, 0x0d])

export class JsonSplitter {
  private readonly maxBytes: number
  private parts: Buffer[] = []
  private bytes = 0
  private depth = 0
  private inString = false
  private escaped = false

  /** `maxBytes`: no message is longer; a stream that goes beyond is not worth following. */
  constructor(maxBytes = 256 * 1024 * 1024) {
    this.maxBytes = maxBytes
  }

  /**
   * Takes the next bytes of the stream, returns the messages they complete. Throws a plain Error when the stream is not a
   * sequence of JSON objects: its reader cannot find the next message and should close it.
   */
  push(chunk: Buffer): unknown[] {
    const messages: unknown[] = []
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (this.inString) {
        if (this.escaped) this.escaped = false
        else if (byte === BACKSLASH) this.escaped = true
        else if (byte === QUOTE) this.inString = false
      } else if (this.depth === 0) {
        if (byte === 0x7b) this.depth = 1
        else if (!SPACE.has(byte)) throw new Error(`not JSON-RPC: a message begins with byte 0x${byte.toString(16)}`)
        start = i
      } else if (byte === QUOTE) this.inString = true
      else if (OPEN.has(byte)) this.depth++
      else if (CLOSE.has(byte) && --this.depth === 0) {
        messages.push(this.take(chunk.subarray(start, i + 1)))
        start = i + 1
      }
    }
    if (this.depth > 0) this.keep(chunk.subarray(start))
    return messages
  }

  private take(end: Buffer): unknown {
    const text = this.parts.length === 0 ? end.toString('utf8') : Buffer.concat([...this.parts, end]).toString('utf8')
    this.parts = []
    this.bytes = 0
    return JSON.parse(text) as unknown
  }

  private keep(part: Buffer): void {
    this.bytes += part.length
    if (this.bytes > this.maxBytes) throw new Error(`a message is longer than ${this.maxBytes} bytes`)
    // The socket may reuse its buffer.
    this.parts.push(Buffer.from(part))
  }
}
