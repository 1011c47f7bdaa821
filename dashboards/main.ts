/** Writes dashboards/json and Grafana's alert rules: `npm run dashboards`. A test holds the committed files equal. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generatedFiles } from './files.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

mkdirSync(join(ROOT, 'dashboards/json'), { recursive: true })
for (const name of readdirSync(join(ROOT, 'dashboards/json'))) rmSync(join(ROOT, 'dashboards/json', name))
for (const [path, text] of Object.entries(generatedFiles())) writeFileSync(join(ROOT, path), text)
