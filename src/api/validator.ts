/**
 * Fastify's own validator of query strings (ajv), loaded when the first request is checked and not when the API begins: a third of
 * what loading the API takes.
 */
import { createRequire } from 'node:module'
import type { FastifyServerOptions } from 'fastify'

/** As fastify has it: true, or false with the reasons beside. */
type Validate = ((value: unknown) => unknown) & { errors?: unknown }
type Compile = (route: unknown) => Validate
type Factory = (schemas: unknown, options: unknown) => Compile

type Controller = NonNullable<FastifyServerOptions['schemaController']>

/** For `schemaController`. */
export function lateCompilers(): Controller {
  const buildValidator: Factory = (schemas, options) => {
    let compile: Compile | undefined
    return (route) => {
      let ready: Validate | undefined
      const validate: Validate = (value) => {
        ready ??= (compile ??= selector()(schemas, options))(route)
        const answer = ready(value)
        validate.errors = ready.errors
        return answer
      }
      return validate
    }
  }
  // No route has a schema of what it answers.
  const buildSerializer = () => () => (data: unknown) => JSON.stringify(data)
  // Its types describe ajv's own functions, of which it uses no more than the above.
  return { compilersFactory: { buildValidator, buildSerializer } } as unknown as Controller
}

/** What fastify itself would load, by its own path. */
function selector(): Factory {
  const own = createRequire(createRequire(import.meta.url).resolve('fastify'))
  return (own('@fastify/ajv-compiler') as () => Factory)()
}
