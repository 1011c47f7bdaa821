/**
 * Named pipes by which the engine writes answers: in any of its formats, as fast as they are read and no faster, and no more of an answer is
 * in memory than a pipe holds. A pipe serves one answer at a time and is used again.
 */
import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../errors.ts'

const PREFIX = 'answer-'
const run = promisify(execFile)

/** A pipe of which this process reads one answer. */
export interface Pipe {
  /** Its name in the directory. */
  name: string
  /** What is read; nobody else has its descriptor. */
  body: Socket
  /** To be called when nobody writes into it any more: `body` ends after what is in the pipe. */
  finish(): void
}

export class Pipes {
  private readonly directory: string
  private readonly free: string[] = []
  private made = 0

  constructor(directory: string) {
    this.directory = directory
  }

  /** Removes the pipes of a process that was killed. */
  static async clear(directory: string): Promise<void> {
    for (const name of await readdir(directory))
      if (name.startsWith(PREFIX)) await rm(join(directory, name), { force: true })
  }

  /** A pipe with its reading end open. Errors: data_dir_unwritable. */
  async take(): Promise<Pipe> {
    const name = this.free.pop() ?? (await this.make())
    const path = join(this.directory, name)
    const body = new Socket({ fd: openPipe(path, constants.O_RDONLY), readable: true, writable: false })
    return {
      name,
      body,
      finish: () => {
        // A pipe that nobody ever wrote into does not end: now somebody has, and has gone.
        if (!body.destroyed) closeSync(openPipe(path, constants.O_WRONLY))
        const again = () => void this.free.push(name)
        if (body.closed) again()
        else body.once('close', again)
      },
    }
  }

  private async make(): Promise<string> {
    const name = `${PREFIX}${this.made++}.pipe`
    const path = join(this.directory, name)
    try {
      await rm(path, { force: true })
      await run('mkfifo', ['-m', '600', path])
      return name
    } catch (cause) {
      throw new AppError('data_dir_unwritable', `cannot make the pipe ${path}: ${(cause as Error).message}`, { cause })
    }
  }
}

/** Neither end waits for the other one. */
function openPipe(path: string, mode: number): number {
  try {
    return openSync(path, mode | constants.O_NONBLOCK)
  } catch (cause) {
    throw new AppError('data_dir_unwritable', `cannot open the pipe ${path}: ${(cause as Error).message}`, { cause })
  }
}
