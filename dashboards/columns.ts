/** Columns that many answers have, with their units and where a click on them leads. */
import { linkTo } from './links.ts'
import type { Column } from './panel.ts'

export const BYTES = { unit: 'bytes' } as const satisfies Column
export const COUNT = { unit: 'count' } as const satisfies Column
export const TEXT = { unit: 'text' } as const satisfies Column
export const TIME = { unit: 'time' } as const satisfies Column
export const ID = { unit: 'text', hidden: true } as const satisfies Column

/** Sent, received, both with each byte once, the half-width of its error, packets: what entities.ts gives. */
export const FIGURES = {
  sent: BYTES,
  received: BYTES,
  bytes: { unit: 'bytes', title: 'total', bar: true },
  error: { unit: 'bytes', title: '± (95 %)' },
  packets: COUNT,
} as const satisfies Record<string, Column>

export const TO_TENANT = { unit: 'text', link: linkTo('tenant', { project: 'id' }) } as const satisfies Column
export const TO_SERVER = { unit: 'text', link: linkTo('server', { server: 'id' }) } as const satisfies Column
export const TO_NETWORK = { unit: 'text', link: linkTo('network', { network: 'id' }) } as const satisfies Column
