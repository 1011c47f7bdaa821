/** Records of full NetFlow v5 datagrams, of hosts whose servers talk to others of their network. */
import { type CloudSize, syntheticPort } from './cloud.ts'

/** Records of a datagram: as many as fit. */
export const NETFLOW5_RECORDS = 30

/** Fills the records of the `d`-th datagram of a host behind the header of `bytes`. */
export function writeRecords(bytes: Buffer, host: number, d: number, cloud: CloudSize): void {
  const total = cloud.hosts * cloud.ports
  for (let r = 0; r < NETFLOW5_RECORDS; r++) {
    const n = host + cloud.hosts * ((d * 7 + r * 31) % cloud.ports)
    const from = syntheticPort(n, cloud)
    const to = syntheticPort((n + cloud.networks * (1 + ((r * 13) % 5))) % total, cloud)
    const at = 24 + r * 48
    writeIPv4(bytes, at, from.address)
    writeIPv4(bytes, at + 4, to.address)
    bytes.writeUInt16BE(from.ofport, at + 12)
    bytes.writeUInt16BE(65_533, at + 14)
    bytes.writeUInt32BE(1 + ((d * 17 + r) % 900), at + 16)
    bytes.writeUInt32BE(100 + ((d * 7919 + r * 104_729) % 900_000), at + 20)
    bytes.writeUInt32BE(3_590_000 - ((d + r) % 60_000), at + 24)
    bytes.writeUInt32BE(3_599_000 - ((d + r) % 9_000), at + 28)
    bytes.writeUInt16BE(1024 + ((d * 31 + r * 7) % 60_000), at + 32)
    bytes.writeUInt16BE(r % 3 === 0 ? 443 : 1024 + ((d + r) % 40_000), at + 34)
    bytes[at + 37] = 0x1b
    bytes[at + 38] = r % 4 === 0 ? 17 : 6
  }
}

export function writeIPv4(bytes: Buffer, at: number, address: string): void {
  bytes.set(address.split('.').map(Number), at)
}
