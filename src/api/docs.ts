import { RESOURCES } from './answers.ts'
import { IDENTITY_PARAMETERS, RESOLVE_PARAMETERS } from './identity.ts'

const HEAD = `# HTTP API

Served by \`ovsight collect\` on \`http_bind\` and \`http_port\` (127.0.0.1:8080). Written from the tables in \`src/api\`; a test holds it
equal. Everything is GET.

| path | answer |
| --- | --- |
| \`/healthz\` | \`{"status":"ok","pid":4711,"store":"embedded ./ovsight-data"}\` |
| \`/metrics\` | Prometheus' text format, see [metrics.md](metrics.md) |
${Object.entries(RESOURCES)
  .map(([name, { doc }]) => `| \`/api/v1/${name}\` | ${doc} |`)
  .join('\n')}
| \`/api/docs\` | a page on which every question can be asked; \`/\` leads there |
| \`/api/v1/openapi.json\` | the OpenAPI 3.1 document |
| \`/api/v1/export\` | flow records as \`format=parquet\`, \`csv\` or \`jsonl\`, all that \`filter\`, \`from\` and \`to\` leave: what \`ovsight export\` writes |
| \`/api/v1/identity/status\` | every source of the model: state, fault, age, counts |
| \`/api/v1/identity/show\` | what the model knows: the rows of \`ovsight identity show -f json\` |
| \`/api/v1/identity/resolve\` | where the keys of a made-up record lead, and why: \`ends\`, \`record\` |

\`\`\`
curl 'http://127.0.0.1:8080/api/v1/top?dimension=project&by=sent_bytes&last=1d'
curl -G http://127.0.0.1:8080/api/v1/flows --data-urlencode 'filter=project red and dst port 443' -d n=50
\`\`\`

What the rows are of is in the headers: \`ovsight-from\` and \`ovsight-to\` (ISO 8601; the end is outside the span), \`ovsight-columns\`
(names with commas, also when there are no rows), and \`ovsight-notes\`: a JSON array of sentences in percent-encoding, such as which span
holds data when the one asked for does not. \`ovsight-completeness\` of top is such an array too: what exporters sent and is missing in the
figures, the line below the table of \`ovsight top\`; empty when all of it came.
`

const ACCESS = `
## Who may ask

On an address of this machine alone everybody may ask (\`http_auth\`). Otherwise a request needs a token: \`Authorization: Bearer ovs_…\` of
\`ovsight token create\`, or, where \`os_cloud\` is given, \`X-Auth-Token\` with a token of Keystone, which is checked there and remembered
until it expires (role \`admin\`: an operator; any other of a project: that project). \`/healthz\`, \`/api/docs\` and
\`/api/v1/openapi.json\` are open.

An operator sees everything. A project sees records with an end in it, at ${Object.entries(RESOURCES)
  .filter(([, { projects }]) => projects)
  .map(([name]) => `\`${name}\``)
  .join(', ')}; all else answers 403. Of the other end it sees the address
and kind where that is outside or a group; an end of another project is \`another project\`, without name, id, address or MAC. Hosts,
exporters, interfaces, bridges, VLANs and tunnels are empty. Everything is asked of this view, so filters, groups, counts, ids, names and notes
know nothing else.

Each token may make \`http_requests\` a minute, then 429 with \`retry-after\`. Who asked what is in \`asked.jsonl\` of the data directory, an
object a request.

The command line asks the same from anywhere: \`ovsight top --url https://flows.example.org --token-file ~/.ovsight-token\`, or with
\`OVSIGHT_URL\` and \`OVSIGHT_TOKEN\` in the environment. A token that goes over http can be read on the way: use https.

## Long answers

With \`Accept: application/x-ndjson\` \`flows\`, \`matrix\` and \`series\` come as an object a line; \`flows\` then all of the span unless \`n\`
says less, read from the store as quickly as the client reads. Otherwise \`flows\` comes in pages: \`cursor=start\`, then the header
\`ovsight-next\` of the answer before, until there is none. No record is lost or doubled between pages.
`

const ERRORS = `
## Errors

Problem details (RFC 9457), \`application/problem+json\`:

\`\`\`json
{
  "type": "urn:ovsight:error:filter_invalid",
  "title": "The filter does not parse; the column of the mistake is given.",
  "status": 400,
  "detail": "filter, column 17: no word or column is called \\"sever\\"; did you mean server?",
  "code": "filter_invalid",
  "details": ["project red and sever web-1", "                ^"],
  "position": 17
}
\`\`\`

\`code\` is one of [errors.md](errors.md); \`position\` is there for filters. An unknown parameter is a mistake (\`usage\`), not ignored. A 503
that may pass has \`retry-after\`. What HTTP itself refuses (404, 431) has the type \`about:blank\` and no code.
`

/** The whole of docs/api.md. */
export function apiPage(): string {
  const resources = [
    ...Object.entries(RESOURCES),
    ['identity/show', { parameters: IDENTITY_PARAMETERS }] as const,
    ['identity/resolve', { parameters: RESOLVE_PARAMETERS }] as const,
  ].map(([name, { parameters }]) => `## Parameters of ${name}\n\n${table(parameters)}\n`)
  return `${HEAD}\n${resources.join('\n')}${ACCESS}${ERRORS}`
}

function table(parameters: Readonly<Record<string, { description: string }>>): string {
  const rows = Object.entries(parameters).map(([name, { description }]) => `| \`${name}\` | ${description} |`)
  return ['| parameter | meaning |', '| --- | --- |', ...rows].join('\n')
}
