/**
 * The templates of NetFlow v9 and IPFIX over a restart: `templates.json` in the data directory, `templates-2.json` of a worker. Open vSwitch
 * sends them every ten minutes, so what is not kept is missing for as long.
 *
 * Each thread writes its own file and reads all: which of them an exporter's datagrams come to may be another after a restart.
 */
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { learnTemplates, readTemplates, templateTexts, type ReadTemplate } from '../decode/ipfix/saved.ts'
import { parseIp } from '../identity/addresses.ts'
import type { BuiltPipeline } from './build.ts'
import { formatAddress } from './exporters.ts'
import type { Logger } from '../telemetry/log.ts'

const FILES = /^templates(-\d+)?\.json$/
const LOOK_MS = 1_000
/** Writing takes at most this part of the time, however many templates there are. */
const SHARE = 20

export class TemplateFile {
  private readonly path: string
  private readonly built: BuiltPipeline
  private readonly log: Logger
  private written: number
  private notBeforeMs = 0
  private writing: Promise<void> | undefined
  private timer: NodeJS.Timeout | undefined
  private failed = false

  /** Reads what an earlier process left; what is damaged is left out, with a warning when it is all. `worker` is the number of a worker. */
  constructor(data: string, built: BuiltPipeline, log: Logger, worker?: number) {
    this.path = join(data, worker === undefined ? 'templates.json' : `templates-${worker}.json`)
    this.built = built
    this.log = log
    this.learn(
      this.files(data).flatMap((file) => this.read(file)),
      Date.now(),
    )
    this.written = built.ipfix.templates.changes
  }

  /** Writes from now on, a second after a change at the latest, later only when writing takes long. */
  start(): void {
    this.timer = setInterval(() => this.look(), LOOK_MS)
  }

  /** Writes the last changes. */
  async stop(): Promise<void> {
    clearInterval(this.timer)
    await this.writing
    if (this.built.ipfix.templates.changes === this.written) return
    try {
      writeFileSync(`${this.path}.tmp`, [...this.texts()].join(''))
      renameSync(`${this.path}.tmp`, this.path)
    } catch (error) {
      this.complain(error)
    }
  }

  private look(): void {
    if (this.writing !== undefined || this.built.ipfix.templates.changes === this.written) return
    const start = performance.now()
    if (start < this.notBeforeMs) return
    this.writing = this.write().finally(() => {
      this.writing = undefined
      this.notBeforeMs = performance.now() + (performance.now() - start) * SHARE
    })
  }

  private async write(): Promise<void> {
    try {
      await writeFile(`${this.path}.tmp`, this.texts())
      await rename(`${this.path}.tmp`, this.path)
      this.failed = false
    } catch (error) {
      this.complain(error)
    }
  }

  /** Piece by piece, so that receiving goes on between them and the whole is never in memory. */
  private texts(): Iterable<string> {
    const { ipfix, pipeline } = this.built
    const { exporters } = pipeline.parts
    this.written = ipfix.templates.changes
    return templateTexts(ipfix.templates, (id) => {
      const source = exporters.sourceOf(id)
      return source && formatAddress(source)
    })
  }

  /** The files that are there, the one written last at the end: it is right where they differ. */
  private files(data: string): string[] {
    try {
      return readdirSync(data)
        .filter((name) => FILES.test(name))
        .map((name) => ({ path: join(data, name), writtenMs: statSync(join(data, name)).mtimeMs }))
        .sort((a, b) => a.writtenMs - b.writtenMs)
        .map(({ path }) => path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.complain(error)
      return []
    }
  }

  private read(path: string): ReadTemplate[] {
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      this.complain(error)
      return []
    }
    const read = readTemplates(text, this.built.ipfix.templates.limits.maxFields)
    if (read === undefined) this.log.warn({ file: path }, 'the file of templates is damaged; it is ignored')
    return read ?? []
  }

  private learn(read: readonly ReadTemplate[], nowMs: number): void {
    const { ipfix, pipeline } = this.built
    const { exporters } = pipeline.parts
    const learned = learnTemplates(read, ipfix.templates, (address) => {
      const lanes = parseIp(address)
      const place = lanes === undefined ? -1 : exporters.placeOf(Uint32Array.from(lanes), 0, nowMs)
      return place < 0 ? undefined : exporters.idAt(place)
    })
    this.log.debug({ templates: learned }, 'templates read')
  }

  private complain(error: unknown): void {
    if (this.failed) return
    this.failed = true
    this.log.warn({ file: this.path, err: error }, 'templates cannot be kept over a restart')
  }
}
