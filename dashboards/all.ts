/** THE list of dashboards; each is a file dashboards/json/NAME.json. */
import type { DashboardSpec } from './build.ts'
import { CONVERSATIONS } from './conversations.ts'
import { HEALTH } from './health.ts'
import { ISOLATION } from './isolation.ts'
import { NETWORK_AND_HOST } from './network.ts'
import { OVERVIEW } from './overview.ts'
import { SERVER } from './server.ts'
import { TENANT } from './tenant.ts'

export const DASHBOARDS: readonly DashboardSpec[] = [
  OVERVIEW,
  TENANT,
  SERVER,
  NETWORK_AND_HOST,
  CONVERSATIONS,
  ISOLATION,
  HEALTH,
]
