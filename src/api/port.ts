/** The TCP port of the API, apart from what is served there, which takes long to load. */
import { once } from 'node:events'
import { type Server, createServer } from 'node:net'
import { AppError } from '../errors.ts'

/** A TCP port taken early, while the process may; `listenApi` goes on with it. Errors: port_in_use, socket_refused. */
export async function takePort(host: string, port: number): Promise<Server> {
  const taken = createServer((socket) => socket.destroy())
  try {
    taken.listen({ host, port, exclusive: true })
    await once(taken, 'listening')
    return taken
  } catch (cause) {
    throw portRefused(host, port, cause)
  }
}

/** Why a port could not be had, as people say it. */
export function portRefused(host: string, port: number, cause: unknown): AppError {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return new AppError('port_in_use', `TCP port ${port} of ${host} for HTTP is taken; give another with --http-port`, {
      cause,
    })
  return new AppError('socket_refused', `cannot listen for HTTP on ${host} port ${port}: ${message}`, { cause })
}
