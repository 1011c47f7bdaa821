import { COLUMNS } from '../../schema/columns.ts'
import { DIRECTIONS } from './directions.ts'
import { ALIASES, FIELDS, fieldType, SHORTHANDS, type Field } from './fields.ts'
import { MAX_LENGTH } from './tokens.ts'
import { MAX_DEPTH, MAX_VALUES } from './tree.ts'
import type { FieldTypeName } from './types.ts'

const HEAD = `# Filters

The same language everywhere: \`--filter\` of \`ovsight top\` and \`ovsight flows\`, \`filter=\` of the HTTP API. Written from the tables in
\`src/query/filter\`; a test holds it equal.

\`\`\`
project red and server web-1 and dst port 443
src network net1 and not dst network net1
host compute-3 or host 10.0.0.1
net 10.0.0.0/8 and proto tcp and flags S and not flags A
vni 1010 and bytes > 1M
direction north-south and grade ambiguous
server in [web-1, web-2, "web 3"]
exporter = 10.0.10.14 and in_if_name like "tap%"
\`\`\`

## Grammar

\`\`\`
or     = and { ("or" | "||") and }
and    = unary { ("and" | "&&") unary }
unary  = ("not" | "!") unary | "(" or ")" | test
test   = shorthand | [ end ] field [ op ] value | [ end ] field [ "not" ] "in" "[" value { [","] value } "]"
end    = "src" [ ("and" | "or") "dst" ] | "dst" [ ("and" | "or") "src" ]
op     = "=" | "!=" | "<" | "<=" | ">" | ">=" | [ "not" ] "like"
\`\`\`

- \`and\` binds tighter than \`or\`. Without an operator a test means \`=\`. \`==\`, \`<>\`, and \`eq ne lt le gt ge\` are understood too.
- A field of an end asks of either end, with \`src\` or \`dst\` in front of one, with \`src and dst\` of both. \`src_x\` is \`src x\`.
- A negative test of either end (\`!=\`, \`not in\`, \`not like\`) holds when neither end matches: \`server != web-1\` is \`not server web-1\`.
- Project, server, port and network match name or id. A name that several have is refused and their ids are listed, unless its project
  stands beside it in one conjunction (\`project red and server web-1\`); \`server like web-1\` is all that are called so. The empty name, \`server ""\`, is an end that is not known.
- \`port 443\` is a transport port, \`port web\`, \`port 425fe781-…\` and \`port "443"\` a Neutron port. \`host 10.0.0.1\` is an address,
  \`host compute-3\` a hypervisor. After \`src\` and \`dst\` an address may stand alone: \`src 10.0.0.1\`, \`dst 10.0.0.0/8\`.
- \`flags SA\` holds when at least these TCP flags were seen. \`like\` knows \`%\` (any text), \`_\` (one character) and \`\\\` before either.
- A word needs quotes, \`"…"\` or \`'…'\`, when it has spaces, brackets, commas or operators in it or is one of
  \`and or not in like eq ne lt le gt ge\`; a backslash in quotes takes the next character as it is.
- At most ${MAX_LENGTH} characters, ${MAX_DEPTH} parentheses and \`not\` inside one another, ${MAX_VALUES} values.

A mistake is answered with its column and the nearest word. Values never become part of the SQL text: they are bound.
`

const TYPES: Readonly<Record<FieldTypeName, string>> = {
  text: 'text',
  number: 'number: `443`, `0x800`, `1.5M` (decimal), `64Ki`',
  ip: 'address or prefix',
  mac: 'MAC address',
  time: 'time: `2026-01-31T08:00:00Z`, `2026-01-31`, unix seconds; UTC',
  enumeration: 'one of a set, see docs/fields.md',
  protocol: 'protocol, by name or number',
  flags: 'letters of `FSRPAUECN`',
  direction: `one of ${Object.keys(DIRECTIONS).join(', ')}`,
}

/** The whole of docs/filter.md. */
export function filterPage(): string {
  const aliases = Object.entries(ALIASES).map(([word, field]) => `\`${word}\` is \`${field}\``)
  const shorthands = Object.entries(SHORTHANDS).map(
    ([word, { field, value }]) => `\`${word}\` is \`${field} ${value}\``,
  )
  const directions = Object.entries(DIRECTIONS).map(
    ([name, { column, values }]) => `| \`${name}\` | \`${column}\` ${values.join(' or ')} |`,
  )
  const fields = [...FIELDS.values()]
  return `${HEAD}
Other words for fields: ${aliases.join(', ')}.
Whole tests: ${shorthands.join(', ')}.

| direction | meaning |
| --- | --- |
${directions.join('\n')}

## Fields of an end

| field | value | operators | columns |
| --- | --- | --- | --- |
${fields
  .filter(({ sided }) => sided)
  .map(row)
  .join('\n')}

## Fields of the record

| field | value | operators | columns |
| --- | --- | --- | --- |
${fields
  .filter(({ sided }) => !sided)
  .map(row)
  .join('\n')}
`
}

function row(field: Field): string {
  const columns = field.parts.map((part) => `\`${Object.hasOwn(COLUMNS, part) ? part : `src_${part}`}\``)
  const ops = fieldType(field).ops.map((op) => `\`${op}\``)
  return `| \`${field.name}\` | ${TYPES[field.type]} | ${ops.join(' ')} | ${columns.join(', ')}${field.sided ? ' …' : ''} |`
}
