import { Hono } from 'hono'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

export type Data = { unread: number }

/** What pages ask for by themselves, whether anybody sits before them or not. */
const POLLED = new Set(['/unread'])

export function createApp(manager: SessionManager<Data>) {
  return new Hono()
    .use(session(manager, { renew: ({ path }) => !POLLED.has(path) }))
    .get('/unread', async (c) => {
      if ((await c.var.session.userId()) === undefined) return c.json({ error: 'signed out' }, 401)
      return c.json({ unread: (await c.var.session.get('unread')) ?? 0 })
    })
    .get('/', async (c) => c.text((await c.var.session.userId()) ?? 'stranger'))
}
