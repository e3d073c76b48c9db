import type { Startable } from '../lib/server-process.ts'

/** `ONLY` takes its name. */
export interface Peer extends Startable {
  title: string
  /** `none`: answers every path without a session. `raw`: reads and writes memcached, but keeps no session. */
  sessions: 'none' | 'raw' | 'peer' | 'holdfast'
}

/** In the order of the table; those that a target compares stand close together, since a machine's mood changes. */
const all: Peer[] = [
  { name: 'hono-bare', title: 'Hono bare', sessions: 'none' },
  { name: 'hono-nothing', title: 'Hono + a middleware that does nothing', sessions: 'none' },
  { name: 'hono-floor', title: 'floor: that + raw operations + two headers', sessions: 'raw' },
  { name: 'holdfast-hono', title: 'Hono + holdfast', sessions: 'holdfast' },
  { name: 'koa-session', title: 'koa-session + memjs', sessions: 'peer' },
  { name: 'holdfast-koa', title: 'Koa + holdfast', sessions: 'holdfast' },
  { name: 'koa-bare', title: 'Koa bare', sessions: 'none' },
  { name: 'holdfast-fetch', title: 'fetch + holdfast', sessions: 'holdfast' },
  { name: 'hono-sessions', title: 'hono-sessions + memjs', sessions: 'peer' },
  { name: 'hono-session', title: '@hono/session + memjs', sessions: 'peer' },
  { name: 'remix', title: 'Remix session-storage-memcache in Hono', sessions: 'peer' },
  { name: 'express-bare', title: 'Express bare', sessions: 'none' },
  { name: 'express-session', title: 'express-session + connect-memjs', sessions: 'peer' },
  { name: 'fastify-bare', title: 'Fastify bare', sessions: 'none' },
  { name: 'fastify-session', title: '@fastify/session + memjs', sessions: 'peer' },
  onBun({ name: 'hono-nothing', title: 'Hono + a middleware that does nothing', sessions: 'none' }),
  onBun({ name: 'holdfast-hono', title: 'Hono + holdfast', sessions: 'holdfast' }),
  onBun({ name: 'holdfast-koa', title: 'Koa + holdfast', sessions: 'holdfast' }),
  onBun({ name: 'holdfast-fetch', title: 'fetch + holdfast', sessions: 'holdfast' }),
]

/** All, and with `BASELINE=folder` also the holdfast of another checkout, to compare with this one's. */
export function offeredPeers({ BASELINE } = process.env): Peer[] {
  if (BASELINE === undefined) return all
  return all.flatMap((peer) => {
    if (peer.sessions !== 'holdfast') return [peer]
    const { name, title, file = name } = peer
    return [peer, { ...peer, name: `${name}-before`, title: `${title}, before`, file, checkout: BASELINE }]
  })
}

function onBun(peer: Peer): Peer {
  return {
    ...peer,
    name: `${peer.name}-bun`,
    title: `${peer.title}, on Bun`,
    file: peer.name,
    runtime: 'Bun',
  }
}
