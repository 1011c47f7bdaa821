import { mkdirSync } from 'node:fs'
import type { Command } from 'commander'
import { createToken, readTokens, revokeToken } from '../api/tokens.ts'
import { addOptions, givenFlags } from '../config/flags.ts'
import { loadConfig } from '../config/load.ts'
import type { OptionName } from '../config/options.ts'
import { AppError } from '../errors.ts'
import { parseDuration } from '../query/times.ts'
import type { CliContext } from './context.ts'
import { withBackend } from './questions.ts'
import { addOutputOptions, writeAnswer, writeNotes, type OutputOptions } from './output.ts'

const DESCRIPTION = `Tokens of the HTTP API, kept as hashes in the data directory. A collector takes and refuses them at once.

A token of a project sees only flows with an end in it, and of the other end an outside address or that it is of another project. A token
without a project is an operator's and sees everything.`

const EXAMPLES = `
Examples:
  $ ovsight token create --project red --name dashboard --expires 90d
  $ ovsight token create --name monitoring             an operator's
  $ ovsight token list
  $ ovsight token revoke 1f2e3d4c
  $ curl -H "Authorization: Bearer $TOKEN" http://collector:8080/api/v1/top`

const OPTIONS: readonly OptionName[] = ['data', 'clickhouse']

interface TokenFlags extends OutputOptions {
  config?: string
  project?: string
  name?: string
  expires?: string
}

/** Declares `ovsight token create|list|revoke`. */
export function addToken(program: Command, context: CliContext): void {
  const token = program
    .command('token')
    .summary('who may ask the HTTP API')
    .description(DESCRIPTION)
    .addHelpText('after', EXAMPLES)
  addOptions(
    addOutputOptions(
      token
        .command('create')
        .description('Makes a token and prints it, this once.')
        .option(
          '--project <project>',
          'the project it is of, by id, or by a name that occurs in the store; none: an operator',
        )
        .option('--name <name>', 'what it is for', '')
        .option('--expires <span>', 'until when it is good: 12h, 90d (default: until it is revoked)'),
    ),
    OPTIONS,
  ).action((flags: TokenFlags) => create(context, flags))
  addOptions(
    addOutputOptions(token.command('list').description('The tokens there are, without what they are.')),
    OPTIONS,
  ).action((flags: TokenFlags) =>
    writeAnswer(context, flags, listed(readTokens(dataOf(context, flags)), context.now())),
  )
  addOptions(
    token.command('revoke').description('Refuses a token from now on.').argument('<ID>', 'its id, as listed'),
    OPTIONS,
  ).action((id: string, flags: TokenFlags) => revokeToken(dataOf(context, flags), id, context.now()))
}

async function create(context: CliContext, flags: TokenFlags): Promise<void> {
  const data = dataOf(context, flags)
  const lifeMs = flags.expires === undefined ? null : parseDuration(flags.expires.trim())
  if (lifeMs === undefined || lifeMs === 0)
    throw new AppError('time_invalid', `--expires ${JSON.stringify(flags.expires)} is not a span; write 12h or 90d`)
  const project = flags.project === undefined ? null : await projectId(context, flags, flags.project)
  makeDirectory(data)
  const now = context.now()
  const made = createToken(
    data,
    { project, name: flags.name ?? '', expiresMs: lifeMs === null ? null : now + lifeMs },
    now,
  )
  writeNotes(context, [
    `token ${made.entry.id} of ${project === null ? 'an operator' : `project ${project}`}; it is not shown again`,
  ])
  if (flags.format === 'table') context.stdout.write(`${made.token}\n`)
  else writeAnswer(context, flags, { columns: ['id', 'project', 'token'], rows: [{ id: made.entry.id, project: project ?? '', token: made.token }] }) // prettier-ignore
}

const ID = /^[0-9a-f]{32}$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What looks like an id is one; a name is looked for in the store. Errors: usage, name_ambiguous. */
async function projectId(context: CliContext, flags: TokenFlags, wanted: string): Promise<string> {
  if (ID.test(wanted)) return wanted
  let id = ''
  await withBackend(context, flags, async (backend) => {
    const filter = `project "${wanted.replaceAll(/["\\]/g, '\\$&')}"`
    const { rows } = await backend.top({ dimensions: ['project'], filter, count: 'all', from: '1970-01-01', n: '1000' })
    id = String(
      rows.find(({ project, project_id }) => project === wanted || project_id === wanted)?.['project_id'] ?? '',
    )
  })
  if (id !== '') return id
  throw new AppError('usage', `no project ${JSON.stringify(wanted)} is in the store; give its id`)
}

function listed(entries: ReturnType<typeof readTokens>, nowMs: number) {
  const columns = ['id', 'project', 'name', 'state', 'created_at', 'expires_at']
  const state = (revoked: string | null, expires: string | null) =>
    revoked !== null ? 'revoked' : expires !== null && Date.parse(expires) <= nowMs ? 'expired' : 'good'
  return {
    columns,
    rows: entries.map(({ id, project, name, created_at, expires_at, revoked_at }) => ({
      id,
      project: project ?? '(operator)',
      name,
      state: state(revoked_at, expires_at),
      created_at,
      expires_at: expires_at ?? '',
    })),
  }
}

function dataOf(context: CliContext, flags: TokenFlags): string {
  return loadConfig({ flags: givenFlags({ ...flags }, OPTIONS), file: flags.config, env: context.env }).config.data
}

function makeDirectory(data: string): void {
  try {
    mkdirSync(data, { recursive: true })
  } catch (cause) {
    throw new AppError('data_dir_unwritable', `cannot make ${data}: ${(cause as Error).message}`, { cause })
  }
}
