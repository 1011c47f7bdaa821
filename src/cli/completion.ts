import { Argument, type Command } from 'commander'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EntityName } from '../query/dimensions.ts'
import type { CliContext } from './context.ts'
import { collectorOf } from './collector-note.ts'
import { storeConfig } from './store-config.ts'

/**
 * Completion for shells. The scripts only ask `ovsight completion --words …`, which knows commands, options, columns, the words of
 * filters, and, from the collector that runs, names of projects, servers, ports, networks and hosts.
 */
const SCRIPTS = {
  bash: `# bash completion of ovsight: eval "$(ovsight completion bash)"
_ovsight() {
  local IFS=$'\\n' cur="\${COMP_WORDS[COMP_CWORD]}" words
  words=("\${COMP_WORDS[@]:1:COMP_CWORD-1}")
  # A word in quotes that are still open comes with its quote, and is replaced behind it.
  local bare="\${cur#[\\"\\']}"
  COMPREPLY=($(ovsight completion --words "\${words[@]}" "$bare" 2>/dev/null))
  if [[ \${#COMPREPLY[@]} -eq 1 && "$cur" == "$bare" ]]; then COMPREPLY=("\${COMPREPLY[0]}"); fi
  [[ "$cur" != "$bare" ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -F _ovsight ovsight
`,
  zsh: `#compdef ovsight
# zsh completion of ovsight: eval "$(ovsight completion zsh)"
_ovsight() {
  local -a found
  local cur="\${(Q)words[CURRENT]}"
  # A quote that is not closed yet stays.
  cur="\${cur#[\\"']}"
  found=("\${(@f)$(ovsight completion --words "\${(@Q)words[2,CURRENT-1]}" "$cur" 2>/dev/null)}")
  [[ -n "$found" ]] && compadd -- "\${found[@]}"
}
compdef _ovsight ovsight
`,
  fish: `# fish completion of ovsight: ovsight completion fish | source
function __ovsight_complete
  set -l words (commandline -opc)
  ovsight completion --words $words[2..-1] (commandline -ct | string trim --left --chars='"\\'') 2>/dev/null
end
complete -c ovsight -f -a '(__ovsight_complete)'
`,
} as const

const DESCRIPTION = `Prints a script for the shell that completes commands, options, columns, the words of filters, and names of projects, servers,
ports, networks and hosts as the running collector knows them.`

const EXAMPLES = `
Examples:
  $ ovsight completion bash > /etc/bash_completion.d/ovsight
  $ eval "$(ovsight completion bash)"                  or this, in ~/.bashrc
  $ ovsight completion zsh > ~/.zfunc/_ovsight
  $ ovsight completion fish | source                   in ~/.config/fish/config.fish`

/** A shell waits no longer for names. */
const PATIENCE_MS = 1500

/** Declares `ovsight completion bash|zsh|fish`. */
export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .summary('completion for bash, zsh and fish')
    .description(DESCRIPTION)
    .addArgument(new Argument('[SHELL]', 'bash, zsh or fish').choices(Object.keys(SCRIPTS)).default('bash'))
    .addHelpText('after', EXAMPLES)
    .action((shell: keyof typeof SCRIPTS) => {
      context.stdout.write(SCRIPTS[shell])
    })
}

/** Writes what may stand in place of the last word, a line each. */
export async function writeCandidates(context: CliContext, program: Command, words: readonly string[]): Promise<void> {
  const { candidates } = await import('./complete.ts')
  const found = await candidates(program, words, (entity) => liveNames(context, words, entity))
  context.stdout.write(found.map((word) => `${word}\n`).join(''))
}

/** From the collector that runs on the data directory; a store is not opened for a key press. */
async function liveNames(
  context: CliContext,
  words: readonly string[],
  entity: EntityName,
): Promise<readonly string[]> {
  const given = (flag: string) => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined)
  const [data, at, tokenFile] = [given('--data'), given('--url'), given('--token-file')]
  const options = { data, url: at, tokenFile }
  const url = await collectorOf(storeConfig(context, options))
  if (url === undefined) return []
  const { remoteBackend } = await import('./remote.ts')
  const asked = remoteBackend(url).names({ of: entity })
  const answer = await Promise.race([asked.catch(() => undefined), sleep(PATIENCE_MS, undefined, { ref: false })])
  return answer?.rows.map(({ name }) => String(name)) ?? []
}
