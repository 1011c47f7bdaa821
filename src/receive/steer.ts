/**
 * Which of several sockets on one port gets a datagram: always the same one for one source address, whatever its port, so that an
 * exporter's templates and sequence numbers stay with one worker when Open vSwitch opens its socket anew. By itself the kernel goes
 * by address and port.
 *
 * A classic BPF program, SO_ATTACH_REUSEPORT_CBPF: socket(7). It answers the place of a socket in the order in which they were
 * bound. Its loads begin at the payload; the network header is at SKF_NET_OFF (linux/filter.h).
 */
import { AF_INET } from './sockaddr.ts'
import { SOL_SOCKET, type Libc } from './libc.ts'

const SO_ATTACH_REUSEPORT_CBPF = 51
const NETWORK_HEADER = -0x100000

// linux/bpf_common.h: class, size or operation, mode or source.
const LOAD_WORD = 0x20
const LOAD_BYTE = 0x30
const TO_X = 0x07
const XOR_X = 0xac
const SHIFT_RIGHT = 0x74
const MULTIPLY = 0x24
const MODULO = 0x94
const JUMP_IF_EQUAL = 0x15
const RETURN_A = 0x16

/** struct sock_filter: code, jump if true, jump if false, constant. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number]

/** Spreads neighbouring addresses; the upper half of the product is taken. */
const SPREAD = 0x9e3779b1
const IPV4_SOURCE = 12
const IPV6_SOURCE = 8

/** The program for `sockets` sockets. A socket of IPv6 gets IPv4 too, so the packet itself says which it is. */
export function steeringProgram(family: number, sockets: number): readonly Instruction[] {
  const load = (code: number, at: number): Instruction => [code, 0, 0, NETWORK_HEADER + at]
  const choose: Instruction[] = [
    [MULTIPLY, 0, 0, SPREAD],
    [SHIFT_RIGHT, 0, 0, 16],
    [MODULO, 0, 0, sockets],
    [RETURN_A, 0, 0, 0],
  ]
  const ipv4 = [load(LOAD_WORD, IPV4_SOURCE), ...choose]
  if (family === AF_INET) return ipv4
  const ipv6 = [load(LOAD_WORD, IPV6_SOURCE)]
  for (const word of [1, 2, 3]) ipv6.push([TO_X, 0, 0, 0], load(LOAD_WORD, IPV6_SOURCE + word * 4), [XOR_X, 0, 0, 0])
  return [load(LOAD_BYTE, 0), [SHIFT_RIGHT, 0, 0, 4], [JUMP_IF_EQUAL, ipv4.length, 0, 6], ...ipv4, ...ipv6, ...choose]
}

/** The place that the program answers for a source, four lanes as in an `ip` column; for tests, and to say who has an exporter. */
export function placeOf(lanes: ArrayLike<number>, sockets: number): number {
  const mapped = lanes[0] === 0 && lanes[1] === 0 && lanes[2] === 0xffff0000
  const word = mapped ? swap(lanes[3]!) : swap(lanes[0]!) ^ swap(lanes[1]!) ^ swap(lanes[2]!) ^ swap(lanes[3]!)
  return (Math.imul(word, SPREAD) >>> 16) % sockets
}

/** Steers the group of sockets that `fd` belongs to; why it could not, or ''. */
export function steer(libc: Libc, fd: number, family: number, sockets: number): string {
  const program = steeringProgram(family, sockets)
  const code = new ArrayBuffer(program.length * 8)
  const view = new DataView(code)
  for (const [i, [operation, ifTrue, ifFalse, k]] of program.entries()) {
    view.setUint16(i * 8, operation, true)
    view.setUint8(i * 8 + 2, ifTrue)
    view.setUint8(i * 8 + 3, ifFalse)
    view.setUint32(i * 8 + 4, k >>> 0, true)
  }
  // struct sock_fprog: length u16, then at 8 a pointer. `code` is held until the call has returned.
  const pointer = new BigUint64Array([BigInt(program.length), libc.address(code)])
  const failed = libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, new Uint32Array(pointer.buffer), 16) < 0
  return failed && code.byteLength > 0 ? libc.errorName(libc.errno()) : ''
}

function swap(word: number): number {
  return ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}
