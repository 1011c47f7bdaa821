import type { Command } from 'commander'
import { ERRORS, type ErrorCode } from '../errors.ts'

/** The manual page ovsight(1), from the commands themselves: roff with the man macros. */
export function manPage(program: Command): string {
  const commands = flattened(program, 'ovsight')
  const parts = [
    '.\\" Written from the commands themselves; a test holds it equal.',
    '.TH OVSIGHT 1',
    '.SH NAME',
    `ovsight \\- ${text(program.description())}`,
    '.SH SYNOPSIS',
    '.B ovsight',
    '.I COMMAND',
    '[\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]',
    '.SH COMMANDS',
    ...commands.flatMap(({ path, command }) => commandPart(path, command)),
    '.SH EXIT STATUS',
    ...exitPart(),
    '.SH FILES',
    '.TP',
    '.I ./ovsight-data',
    'the data directory, unless \\fB\\-\\-data\\fR says otherwise.',
    '.SH ENVIRONMENT',
    '.TP',
    '.B OVSIGHT_\\fIOPTION\\fR',
    'every option of the configuration; ovsight show config tells which are in force.',
    '.TP',
    '.B NO_COLOR, COLUMNS',
    'no colours; the width of tables where output is no terminal.',
  ]
  return `${parts.join('\n')}\n`
}

function flattened(parent: Command, path: string): { path: string; command: Command }[] {
  return parent.commands.flatMap((command) => {
    const own = `${path} ${command.name()}`
    return [{ path: own, command }, ...flattened(command, own)]
  })
}

function commandPart(path: string, command: Command): string[] {
  const synopsis = command.usage()
  const options = command.options.filter(({ hidden }) => !hidden)
  return [
    `.SS ${text(`${path} ${synopsis}`)}`,
    ...paragraphs(command.description()),
    ...options.flatMap(({ flags, description }) => ['.TP', `.B ${text(flags)}`, text(description)]),
  ]
}

function paragraphs(description: string): string[] {
  return description
    .split('\n\n')
    .flatMap((paragraph, i) => [...(i === 0 ? [] : ['.PP']), text(paragraph.replaceAll('\n', ' '))])
}

function exitPart(): string[] {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  const exits = [...new Set(codes.map((code) => ERRORS[code].exit))].toSorted((a, b) => a - b)
  return [
    ...['.TP', '.B 0', 'done.', '.TP', '.B 1', 'a fault of ovsight itself.'],
    ...exits.flatMap((exit) => ['.TP', `.B ${exit}`, text(`${codes.filter((code) => ERRORS[code].exit === exit).join(', ')}.`)]), // prettier-ignore
  ]
}

/** Text that roff takes as it is: no escapes, and no line that begins with a request. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', "'")
    .replaceAll('…', '...')
    .replaceAll(/^([.'])/gm, '\\&$1')
}
