/** What is generated, by path in the project. */
import { alertRules } from './alerts.ts'
import { DASHBOARDS } from './all.ts'
import { buildDashboard } from './build.ts'

export function generatedFiles(): Record<string, string> {
  const dashboards = DASHBOARDS.map((spec) => [
    `dashboards/json/${spec.name}.json`,
    `${JSON.stringify(buildDashboard(spec), null, 2)}\n`,
  ])
  return Object.fromEntries([
    ...dashboards,
    ['deploy/grafana/provisioning/alerting/rules.yaml', alertRules()],
  ]) as Record<string, string>
}
