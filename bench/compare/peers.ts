import type { Startable } from '../lib/server-process.ts'
import { paths } from '../lib/servers/listening.ts'
import type { keepers } from './keepers.ts'
import type { Scenario } from './scenarios.ts'

/** `ONLY` takes its name. */
export interface Peer extends Startable {
  title: string
  /** `none`: answers every path without a session. `raw`: reads and writes memcached, but keeps no session. */
  sessions: 'none' | 'raw' | 'peer' | 'holdfast'
  /** Where its sessions are. Default `memcached`. */
  keeper?: keyof typeof keepers
}

/** Measured together, since a target compares them, and a machine's mood changes. */
export interface Group {
  peers: readonly Peer[]
  scenarios: readonly Scenario['name'][]
}

const usual = ['anon', 'cookie', 'read', 'write'] as const
const all = [...usual, 'cold', 'signed-in'] as const
const bare = { sessions: 'none' } as const
const peer = { sessions: 'peer' } as const
const holdfast = { sessions: 'holdfast' } as const

/** In the order of the table. */
const groups: readonly Group[] = [
  {
    scenarios: all,
    peers: [
      { name: 'hono-nothing', title: 'Hono + a middleware that does nothing', ...bare },
      { name: 'hono-floor', title: 'floor: that + raw operations + two headers', sessions: 'raw' },
      { name: 'holdfast-hono', title: 'Hono + holdfast', ...holdfast },
      { name: 'koa-session', title: 'koa-session + memjs', ...peer },
      // So far apart as others are, to show by how much one server differs from itself.
      { name: 'holdfast-hono-again', title: 'Hono + holdfast, again', file: 'holdfast-hono', ...holdfast },
      { name: 'holdfast-koa', title: 'Koa + holdfast', ...holdfast },
      { name: 'fastify-session', title: '@fastify/session + memjs', ...peer },
      { name: 'hono-sessions', title: 'hono-sessions + memjs', ...peer },
    ],
  },
  {
    scenarios: all,
    peers: [
      { name: 'express-bare', title: 'Express bare', ...bare },
      { name: 'holdfast-express', title: 'Express + holdfast', ...holdfast },
      { name: 'express-session', title: 'express-session + connect-memjs', ...peer },
      {
        name: 'holdfast-express-redis',
        title: 'Express + holdfast, RedisStore',
        file: 'holdfast-express',
        keeper: 'redis',
        ...holdfast,
      },
      {
        name: 'express-session-redis',
        title: 'express-session + connect-redis',
        file: 'express-session',
        keeper: 'redis',
        ...peer,
      },
    ],
  },
  {
    scenarios: usual,
    peers: [
      { name: 'hono-bare', title: 'Hono bare', ...bare },
      { name: 'koa-bare', title: 'Koa bare', ...bare },
      { name: 'fastify-bare', title: 'Fastify bare', ...bare },
      { name: 'holdfast-fetch', title: 'fetch + holdfast', ...holdfast },
      { name: 'hono-session', title: '@hono/session + memjs', ...peer },
      { name: 'remix', title: 'Remix session-storage-memcache in Hono', ...peer },
    ],
  },
  {
    scenarios: usual,
    peers: [
      onBun({ name: 'hono-nothing', title: 'Hono + a middleware that does nothing', ...bare }),
      onBun({ name: 'holdfast-hono', title: 'Hono + holdfast', ...holdfast }),
      onBun({ name: 'holdfast-koa', title: 'Koa + holdfast', ...holdfast }),
      onBun({ name: 'holdfast-fetch', title: 'fetch + holdfast', ...holdfast }),
    ],
  },
]

/** All, and with `BASELINE=folder` also the holdfast that was built there, to compare with this one. */
export function offeredGroups({ BASELINE } = process.env): Group[] {
  if (BASELINE === undefined) return [...groups]
  return groups.map(({ peers, scenarios }) => ({
    scenarios,
    peers: peers.flatMap((one) => {
      if (one.sessions !== 'holdfast') return [one]
      const { name, title, file = name } = one
      return [one, { ...one, name: `${name}-before`, title: `${title}, before`, file, checkout: BASELINE }]
    }),
  }))
}

/** Without a session all routes are the same, and the floor has no users but its own. */
export function concerns({ sessions }: Peer, { name, path }: Scenario): boolean {
  if (path === paths.untouched) return sessions !== 'raw'
  return sessions !== 'none' && (name !== 'signed-in' || sessions !== 'peer')
}

export function keepsSessions({ sessions }: Peer): boolean {
  return sessions === 'peer' || sessions === 'holdfast'
}

function onBun(one: Peer): Peer {
  return { ...one, name: `${one.name}-bun`, title: `${one.title}, on Bun`, file: one.name, runtime: 'Bun' }
}
