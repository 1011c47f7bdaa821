/** What lies inside a mirror's encapsulation. */
export const INNER = { ethernet: 0, ip: 1, mpls: 2 } as const
export type Inner = (typeof INNER)[keyof typeof INNER]

/**
 * Where the mirrored frame lies in a datagram and which mirror it came from; set by `unwrapGre` and `unwrapVxlan`, one object for
 * all datagrams.
 */
export class Encapsulation {
  /** Code of export_protocol. */
  exportProtocol = 0
  /** GRE key, ERSPAN session or VNI; 0 without a key. */
  point = 0
  /** ERSPAN type II index; else 0. */
  domain = 0
  /** VLAN id that the ERSPAN header tells; 0 when it does not. */
  vlan = 0
  inner: Inner = INNER.ethernet
  /** What is there of the frame is `[start .. end)` of the datagram's memory. */
  start = 0
  end = 0
  /** Octets of the frame as the outer lengths tell; more than `end - start` when the datagram was cut. */
  frameLength = 0
}
