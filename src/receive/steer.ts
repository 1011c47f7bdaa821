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
const AND = 0x54
const JUMP = 0x05
const JUMP_IF_EQUAL = 0x15
const RETURN_K = 0x06
const RETURN_A = 0x16
/** BPF_MAXINSNS. A quarter of it: the kernel runs it for every datagram. */
export const MOST_INSTRUCTIONS = 1024

/** struct sock_filter: code, jump if true, jump if false, constant. */
export type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number]

/** Spreads neighbouring addresses; the upper half of the product is taken. */
const SPREAD = 0x9e3779b1
const IPV4_SOURCE = 12
const IPV6_SOURCE = 8

/** Addresses that `(address & mask) === net` holds for; four lanes in memory order, as in an `ip` column. */
export interface Network {
  readonly net: ArrayLike<number>
  readonly mask: ArrayLike<number>
}

/** How IPv4 begins where it is written as IPv6: ::ffff:0:0/96. */
const MAPPED = [0, 0, 0xffff0000]

const load = (code: number, at: number): Instruction => [code, 0, 0, NETWORK_HEADER + at]

/**
 * The program for `sockets` sockets. A socket of IPv6 gets IPv4 too, so the packet itself says which it is. With `allowed`, what comes
 * from elsewhere goes to the socket behind the last of them.
 */
export function steeringProgram(family: number, sockets: number, allowed?: readonly Network[]): readonly Instruction[] {
  const choose: Instruction[] = [
    [MULTIPLY, 0, 0, SPREAD],
    [SHIFT_RIGHT, 0, 0, 16],
    [MODULO, 0, 0, sockets],
    [RETURN_A, 0, 0, 0],
  ]
  const ipv4 = [...admit4(allowed, sockets), load(LOAD_WORD, IPV4_SOURCE), ...choose]
  if (family === AF_INET) return ipv4
  const ipv6 = [...admit6(allowed, sockets), load(LOAD_WORD, IPV6_SOURCE)]
  for (const word of [1, 2, 3]) ipv6.push([TO_X, 0, 0, 0], load(LOAD_WORD, IPV6_SOURCE + word * 4), [XOR_X, 0, 0, 0])
  // A conditional jump reaches 255 instructions, the other one all.
  return [
    load(LOAD_BYTE, 0),
    [SHIFT_RIGHT, 0, 0, 4],
    [JUMP_IF_EQUAL, 0, 1, 6],
    [JUMP, 0, 0, ipv4.length],
    ...ipv4,
    ...ipv6,
    ...choose,
  ]
}

/** Goes on behind these instructions for an IPv4 source that is allowed, and answers `elsewhere` for others. */
function admit4(allowed: readonly Network[] | undefined, elsewhere: number): Instruction[] {
  const mapped = (allowed ?? []).filter(({ net, mask }) => MAPPED.every((lane, i) => (((lane ^ net[i]!) & mask[i]!) | 0) === 0)) // prettier-ignore
  const tests = mapped.map(({ net, mask }) => equals(IPV4_SOURCE, net[3]!, mask[3]!))
  return allowed === undefined
    ? []
    : anyOf(
        tests.map((test) => [test]),
        elsewhere,
      )
}

/** The same of IPv6. */
function admit6(allowed: readonly Network[] | undefined, elsewhere: number): Instruction[] {
  const tests = (allowed ?? []).map(({ net, mask }) =>
    [0, 1, 2, 3].filter((i) => mask[i] !== 0).map((i) => equals(IPV6_SOURCE + i * 4, net[i]!, mask[i]!)),
  )
  return allowed === undefined ? [] : anyOf(tests, elsewhere)
}

/** Loads a word of the header and takes what the mask leaves; the word that it is compared with. */
interface Test {
  readonly take: readonly Instruction[]
  readonly value: number
}

function equals(at: number, net: number, mask: number): Test {
  return { take: [load(LOAD_WORD, at), [AND, 0, 0, swap(mask)]], value: swap(net) }
}

/** Goes on behind all of it when one of the alternatives holds, each of them when all of its tests do; else answers `elsewhere`. */
function anyOf(alternatives: readonly (readonly Test[])[], elsewhere: number): Instruction[] {
  let rest: Instruction[] = [[RETURN_K, 0, 0, elsewhere]]
  for (const tests of alternatives.toReversed()) {
    let one: Instruction[] = [[JUMP, 0, 0, rest.length]]
    for (const { take, value } of tests.toReversed()) one = [...take, [JUMP_IF_EQUAL, 0, one.length, value], ...one]
    rest = [...one, ...rest]
  }
  return rest
}

/** The place that the program answers for a source, four lanes as in an `ip` column; for tests, and to say who has an exporter. */
export function placeOf(lanes: ArrayLike<number>, sockets: number): number {
  const mapped = lanes[0] === 0 && lanes[1] === 0 && lanes[2] === 0xffff0000
  const word = mapped ? swap(lanes[3]!) : swap(lanes[0]!) ^ swap(lanes[1]!) ^ swap(lanes[2]!) ^ swap(lanes[3]!)
  return (Math.imul(word, SPREAD) >>> 16) % sockets
}

/** Steers the group of sockets that `fd` belongs to; why it could not, or ''. */
export function steer(libc: Libc, fd: number, family: number, sockets: number): string {
  return attachSteering(libc, fd, steeringProgram(family, sockets))
}

/** The same by a program, which takes the place of the one before between two datagrams. */
export function attachSteering(libc: Libc, fd: number, program: readonly Instruction[]): string {
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
