/** A process that takes the lock of the directory it is given, says how that went, and stays. */
import { AppError } from '../../src/errors.ts'
import { lockDirectory } from '../../src/store/lock.ts'

try {
  await lockDirectory(process.argv[2]!)
  process.send!('held')
} catch (error) {
  process.send!(error instanceof AppError ? error.code : String(error))
}
setInterval(() => {}, 60_000)
