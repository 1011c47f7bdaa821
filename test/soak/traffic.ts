/** What is sent in a soak: exporters whose records are known, and beside them what must cost nobody anything. */
import { loads, type Load } from '../../bench/load/loads.ts'
import { Sender } from '../../bench/load/sender.ts'
import { netflow9, set, template, u16, u32 } from '../decode/ipfix-build.ts'
import { Flood, LONGEST } from '../flood/datagrams.ts'
import { Spoofer } from '../flood/spoof.ts'

const RECORDS_V9 = 10
const HOSTILE_BURST = 8
/** So few that every one of them has its own place: what they send is decoded. */
const HOSTILE_SOURCES = 200

/** NetFlow v9, which no Open vSwitch sends; its template comes with each datagram. */
function netflow9Load(): Load {
  const fields = [[8, 4], [12, 4], [7, 2], [11, 2], [4, 1], [1, 4], [2, 4], [21, 4], [22, 4]] as const // prettier-ignore
  const record = (d: number, r: number) => [...u32(0x0a000001), ...u32(0x0a000100 + r), ...u16(1024 + d), ...u16(443), 6, ...u32(1000 + r), ...u32(3), ...u32(99_000), ...u32(98_000)] // prettier-ignore
  const datagram = (d: number) =>
    netflow9([
      set(0, template(300, fields)),
      set(300, ...Array.from({ length: RECORDS_V9 }, (_, r) => record(d, r)), [0, 0]),
    ])
  return {
    name: 'NetFlow v9, 10 records a datagram',
    input: 'netflow',
    identity: '',
    exporters: [{ from: '127.0.64.200', as: '10.100.0.200', before: [], datagrams: Array.from({ length: 16 }, (_, d) => Buffer.from(datagram(d))) }], // prettier-ignore
    records: RECORDS_V9,
    sequenceAt: 0,
  }
}

/** Begins the addresses of exporters of mirrored frames, whose rows are flows: how many is a matter of timing. */
export const MIRRORING = '127.0.65.'

/** Exporters of mirrored frames have addresses of their own. */
function apart(load: Load): Load {
  if (load.input !== 'gre') return load
  return {
    ...load,
    exporters: load.exporters.map((one) => ({ ...one, from: MIRRORING + one.from.split('.').at(-1)! })),
  }
}

interface Source {
  load: Load
  sender: Sender
}

export class Traffic {
  /** Datagrams sent, and of them those of exporters whose records are known. */
  datagrams = 0
  /** Records of those exporters; mirrored frames are no records. */
  records = 0
  frames = 0
  private readonly sources: Source[]
  private readonly spoofer = new Spoofer()
  private readonly flood: Flood
  private readonly ports: Record<string, number>
  private readonly lengths = new Uint32Array(HOSTILE_BURST)
  private readonly from = new Uint32Array(HOSTILE_BURST)

  private constructor(sources: Source[], flood: Flood, ports: Record<string, number>) {
    this.sources = sources
    this.flood = flood
    this.ports = ports
    for (const { load, sender } of sources) {
      sender.begin(ports[load.input] ?? 0)
      this.datagrams += load.exporters.reduce((sum, { before }) => sum + before.length, 0)
    }
  }

  /** `gre`: whether this process may send mirrored frames, and the collector receives them. */
  static async open(ports: Record<string, number>, gre: boolean): Promise<Traffic> {
    const wanted = [...(await loads()), netflow9Load()].filter(({ input }) => input !== 'gre' || gre).map(apart)
    const sources = wanted.map((load) => ({ load, sender: new Sender(load, ports[load.input] ?? 0) }))
    return new Traffic(sources, await Flood.open(7), ports)
  }

  get kinds(): string[] {
    return [...this.sources.map(({ load }) => load.name), 'random and damaged ones']
  }

  /** About `records` records from all, and `hostile` datagrams that are none or nobody's. */
  send(records: number, hostile: number): void {
    for (const { load, sender } of this.sources) {
      const count = Math.max(1, Math.round(records / this.sources.length / load.records))
      sender.send(count)
      this.datagrams += count
      if (load.input === 'gre') this.frames += count
      else this.records += count * load.records
    }
    for (let sent = 0; sent < hostile; sent += HOSTILE_BURST) {
      const { input, make } = this.flood.burst()
      for (let i = 0; i < HOSTILE_BURST; i++) {
        this.lengths[i] = make(this.spoofer.payloads, i * LONGEST)
        this.from[i] = this.flood.source(HOSTILE_SOURCES)
      }
      this.spoofer.send(this.ports[input]!, HOSTILE_BURST, this.lengths, this.from)
      this.datagrams += HOSTILE_BURST
    }
  }

  close(): void {
    for (const { sender } of this.sources) sender.close()
    this.spoofer.close()
  }
}
