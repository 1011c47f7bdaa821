/** How many requests a client may make: a bucket each that fills again. Bounded: the one idle for longest gives up its place. */
export class RateLimit {
  /** May be changed at any time. */
  perMinute: number
  private readonly maxClients: number
  private readonly buckets = new Map<string, { left: number; atMs: number }>()

  /** `perMinute` is also how many may come at once. */
  constructor(perMinute: number, maxClients = 10_000) {
    this.perMinute = perMinute
    this.maxClients = maxClients
  }

  /** Milliseconds until the client may go on; 0 when this request may. */
  take(client: string, nowMs: number): number {
    const bucket = this.buckets.get(client) ?? { left: this.perMinute, atMs: nowMs }
    this.buckets.delete(client)
    const each = 60_000 / this.perMinute
    bucket.left = Math.min(this.perMinute, bucket.left + Math.max(0, nowMs - bucket.atMs) / each)
    bucket.atMs = nowMs
    this.buckets.set(client, bucket)
    if (this.buckets.size > this.maxClients) this.buckets.delete(this.buckets.keys().next().value!)
    if (bucket.left < 1) return Math.ceil((1 - bucket.left) * each)
    bucket.left--
    return 0
  }
}
