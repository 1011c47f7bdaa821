/** Where a thread that no longer turns stands, by the inspector: a pause interrupts JavaScript, not a system call. */
import { Session } from 'node:inspector'

const PATIENCE_MS = 1_000
const FRAMES = 12

interface Frame {
  functionName: string
  location: { scriptId: string; lineNumber: number }
}

/** The stack of the main thread, asked from a worker; why it cannot be had, in brackets. */
export async function stackOfMain(): Promise<string> {
  const session = new Session()
  try {
    session.connectToMainThread()
    const files = new Map<string, string>()
    session.on('Debugger.scriptParsed', ({ params }) => files.set(params.scriptId, params.url))
    const paused = new Promise<string>((resolve) => {
      session.once('Debugger.paused', ({ params }) => {
        const text = framesOf(params.callFrames, files)
        session.post('Debugger.resume')
        resolve(text)
      })
    })
    session.post('Debugger.enable')
    session.post('Debugger.pause')
    return await Promise.race([paused, late()])
  } catch (error) {
    return `(no stack: ${(error as Error).message})`
  } finally {
    session.disconnect()
  }
}

function late(): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve('(no stack: it is not in JavaScript)'), PATIENCE_MS))
}

function framesOf(frames: readonly Frame[], files: ReadonlyMap<string, string>): string {
  const place = ({ scriptId, lineNumber }: Frame['location']) =>
    `${(files.get(scriptId) ?? '').split('/').slice(-3).join('/')}:${lineNumber + 1}`
  return frames
    .slice(0, FRAMES)
    .map(({ functionName, location }) => `${functionName || '(anonymous)'} ${place(location)}`)
    .join(' < ')
}
