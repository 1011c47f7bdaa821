/** docs/fields.md from the tables. `npm run docs` writes it, a test holds the committed page equal. */
import { COLUMN_NAMES, columnFacts, type ColumnName } from './columns.ts'
import { CORRECTIONS, ENUMS, type EnumName } from './enums.ts'
import { KINDS, type Kind } from './kinds.ts'
import { SIDE_TABLES, type SideTable } from './side-tables.ts'

const HEAD = `# Fields

Every column of the table \`flows\`, and so every field of \`ovsight flows\`, dimension of \`ovsight top\` and name in a filter.
Written from the tables in \`src/schema\`; a test holds it equal. \`ovsight show columns\` prints the same, \`ovsight show ddl\` the SQL.

A value that the exporter does not send, or that could not be found, is the column's zero: 0, an empty string, \`::\`, or the
first value of its set; in answers an address, MAC address or time that is not set is an empty string. Columns marked Σ are summed in reports; all others are dimensions.
`

/** What a kind looks like to a user; `kinds.ts` says how it is stored. */
const KIND_NAMES: Readonly<Record<Kind, string>> = {
  u8: 'number, 0 … 255',
  u16: 'number, 0 … 65535',
  u32: 'number, 32 bits',
  u64: 'number, 64 bits',
  f64: 'number, floating',
  ip: 'address; IPv4 as `::ffff:a.b.c.d`, shown as `a.b.c.d`',
  mac: 'MAC address; stored as a 48-bit number',
  time: 'time, UTC, to the millisecond',
  text: 'text',
  enum: 'one of a set',
}

/** The whole of docs/fields.md. */
export function fieldsPage(): string {
  const kinds = (Object.keys(KINDS) as Kind[]).map(
    (kind) => `- \`${kind}\`: ${KIND_NAMES[kind]} (${KINDS[kind].clickhouse})`,
  )
  const columns = COLUMN_NAMES.map((name) => `| \`${name}\` | ${kindOf(name)} | ${cell(columnFacts(name).doc)} |`)
  const enums = (Object.keys(ENUMS) as EnumName[]).map(enumSection)
  const corrections = Object.entries(CORRECTIONS).map(
    ([name, { bit, doc }]) => `| ${bit} | \`${name}\` | ${cell(doc)} |`,
  )
  return `${HEAD}
## Kinds

${kinds.join('\n')}

## Columns

| column | kind | what it holds |
| --- | --- | --- |
${columns.join('\n')}

## Other tables

Written beside the flow records, a few rows a minute; \`ovsight audit\`, the completeness below \`ovsight top\` and dashboards read them.
${SIDE_TABLES.map(tableSection).join('')}
## Sets
${enums.join('')}
## Bits of corrections

| bit | name | meaning |
| --- | --- | --- |
${corrections.join('\n')}
`
}

function kindOf(name: ColumnName): string {
  const { kind, of, measure } = columnFacts(name)
  const label = of === undefined ? kind : `[${of}](#${of})`
  return measure === true ? `${label} Σ` : label
}

function tableSection({ name, doc, columns }: SideTable): string {
  const rows = Object.entries(columns).map(
    ([column, { kind, of, doc: text }]) =>
      `| \`${column}\` | ${of === undefined ? kind : `[${of}](#${of})`} | ${cell(text)} |`,
  )
  return `
### ${name}

${doc}

| column | kind | what it holds |
| --- | --- | --- |
${rows.join('\n')}
`
}

function enumSection(name: EnumName): string {
  const ofFlows = COLUMN_NAMES.filter((column) => columnFacts(column).of === name)
  const ofOthers = SIDE_TABLES.flatMap(({ name: table, columns }) =>
    Object.entries(columns).flatMap(([column, { of }]) => (of === name ? [`${table}.${column}`] : [])),
  )
  const users = [...ofFlows, ...ofOthers].map((column) => `\`${column}\``)
  const values = Object.entries(ENUMS[name]).map(([value, doc], code) => `| ${code} | \`${value}\` | ${cell(doc)} |`)
  return `
### ${name}

Of ${users.join(', ')}.

| code | value | meaning |
| --- | --- | --- |
${values.join('\n')}
`
}

/** Text in a cell of a Markdown table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
