/** Where a thread that no longer turns stands, by the inspector: a pause interrupts JavaScript, not a system call. */
import { Session, type Debugger } from 'node:inspector'

const PATIENCE_MS = 1_000
const FRAMES = 12

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

/** The stack of a worker of this thread; why it cannot be had, in brackets. */
export async function stackOfWorker(threadId: number): Promise<string> {
  const session = new Session()
  try {
    session.connect()
    const paused = new Promise<string>((resolve) => pauseWorker(session, threadId, resolve))
    session.post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    const stack = await Promise.race([paused, late()])
    session.post('NodeWorker.disable')
    return stack
  } catch (error) {
    return `(no stack: ${(error as Error).message})`
  } finally {
    session.disconnect()
  }
}

/** What a worker's own session answers: Debugger.scriptParsed or Debugger.paused, or what else it has to say. */
interface FromWorker {
  method?: string
  params: Debugger.ScriptParsedEventDataType & Debugger.PausedEventDataType
}

function pauseWorker(session: Session, threadId: number, onStack: (stack: string) => void): void {
  const files = new Map<string, string>()
  let worker = ''
  let id = 0
  const send = (method: string) =>
    session.post('NodeWorker.sendMessageToWorker', { sessionId: worker, message: JSON.stringify({ id: ++id, method }) })
  session.on('NodeWorker.attachedToWorker', ({ params: { sessionId, workerInfo } }) => {
    // Its workerId is a number of the inspector's own until Node.js 22; the title has the thread's.
    if (!workerInfo.title.startsWith(`[worker ${threadId}]`)) return
    worker = sessionId
    send('Debugger.enable')
    send('Debugger.pause')
  })
  session.on('NodeWorker.receivedMessageFromWorker', ({ params: { sessionId, message } }) => {
    if (sessionId !== worker) return
    const { method, params } = JSON.parse(message) as FromWorker
    if (method === 'Debugger.scriptParsed') files.set(params.scriptId, params.url)
    if (method !== 'Debugger.paused') return
    onStack(framesOf(params.callFrames, files))
    send('Debugger.resume')
  })
}

function late(): Promise<string> {
  return new Promise((resolve) => setTimeout(() => resolve('(no stack: it is not in JavaScript)'), PATIENCE_MS))
}

function framesOf(frames: readonly Debugger.CallFrame[], files: ReadonlyMap<string, string>): string {
  const place = ({ scriptId, lineNumber }: Debugger.Location) =>
    `${(files.get(scriptId) ?? '').split('/').slice(-3).join('/')}:${lineNumber + 1}`
  return frames
    .slice(0, FRAMES)
    .map(({ functionName, location }) => `${functionName || '(anonymous)'} ${place(location)}`)
    .join(' < ')
}
