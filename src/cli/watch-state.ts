import type { TopRequest } from '../query/ask.ts'
import { CONVERSATION_FIGURES } from '../query/conversations.ts'
import { parseDimensions } from '../query/dimensions.ts'
import { figureNames } from '../query/measures.ts'
import { isSided } from '../query/sums.ts'

/** What `watch` shows, and how keys change it. */
export interface WatchState {
  /** Groupings that `g` goes through; the first is the one asked for. */
  readonly groupings: readonly string[]
  readonly grouping: number
  readonly bidirectional: boolean
  readonly by: string
  readonly span: number
  readonly paused: boolean
  readonly help: boolean
  readonly leave: boolean
}

export const SPANS = ['1m', '5m', '15m', '1h', '6h', '1d', '7d'] as const
const DEFAULT_SPAN = '15m'
const GROUPINGS = ['server', 'project', 'network', 'port', 'host', 'src_server dst_server', 'src_addr dst_addr', 'ip_protocol dst_l4_port'] // prettier-ignore

/** THE table of keys. */
export const KEYS = {
  g: { doc: 'next grouping', press: (state) => regroup(state, 1) },
  G: { doc: 'grouping before', press: (state) => regroup(state, -1) },
  s: { doc: 'sort by the next figure', press: (state) => resort(state, 1) },
  S: { doc: 'sort by the figure before', press: (state) => resort(state, -1) },
  b: { doc: 'conversations, both ways in one row', press: (state) => resort({ ...state, bidirectional: !state.bidirectional }, 0) },
  '+': { doc: 'longer span', press: (state) => ({ ...state, span: Math.min(SPANS.length - 1, state.span + 1) }) },
  '-': { doc: 'shorter span', press: (state) => ({ ...state, span: Math.max(0, state.span - 1) }) },
  ' ': { doc: 'stop and go on', press: (state) => ({ ...state, paused: !state.paused }) },
  '?': { doc: 'these keys', press: (state) => ({ ...state, help: !state.help }) },
  q: { doc: 'leave', press: (state) => ({ ...state, leave: true }) },
  '\u0003': { doc: '', press: (state) => ({ ...state, leave: true }) },
} as const satisfies Readonly<Record<string, { doc: string; press: (state: WatchState) => WatchState }>> // prettier-ignore

/** The state to begin with. */
export function beginning(dimensions: readonly string[], by: string, span: number, bidirectional: boolean): WatchState {
  const first = dimensions.length === 0 ? 'server' : dimensions.join(' ')
  return {
    groupings: [first, ...GROUPINGS.filter((grouping) => grouping !== first)],
    grouping: 0,
    bidirectional,
    by,
    span,
    paused: false,
    help: false,
    leave: false,
  }
}

/** What a key makes of the state; other keys change nothing. */
export function press(state: WatchState, key: string): WatchState {
  return Object.hasOwn(KEYS, key) ? KEYS[key as keyof typeof KEYS].press(state) : state
}

export function dimensionsOf({ groupings, grouping }: WatchState): string[] {
  return groupings[grouping]!.split(' ')
}

/** The question that the state is. */
export function requestOf(state: WatchState, filter: string | undefined, n: number): TopRequest {
  return {
    dimensions: dimensionsOf(state),
    by: state.by,
    n: String(n),
    filter,
    // The default span gives way to what there is when it is empty, as after a replay.
    last: SPANS[state.span] === DEFAULT_SPAN ? undefined : SPANS[state.span],
    ...(state.bidirectional ? { bidirectional: 'true' } : { with: 'all' }),
  }
}

function regroup(state: WatchState, by: number): WatchState {
  const { length } = state.groupings
  return resort({ ...state, grouping: (state.grouping + by + length) % length }, 0)
}

/** Another figure; the first one when the grouping does not have the present one. */
function resort(state: WatchState, by: number): WatchState {
  const figures = state.bidirectional
    ? CONVERSATION_FIGURES
    : figureNames(isSided(parseDimensions(dimensionsOf(state))))
  const at = figures.indexOf(state.by)
  return { ...state, by: at < 0 ? 'bytes' : figures[(at + by + figures.length) % figures.length]! }
}
