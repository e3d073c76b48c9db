import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

const WITHOUT_RENEWAL = { renew: () => false }

export function createApp(manager: SessionManager, heartbeatMs = 15_000) {
  return new Hono()
    .get('/events', session(manager, WITHOUT_RENEWAL), async (c) => {
      if ((await c.var.session.userId()) === undefined) return c.body(null, 401)
      const cookie = c.req.header('cookie')
      return streamSSE(c, async (stream) => {
        // A session of its own for every heartbeat: it notices a sign-out, and a session that ran idle.
        const isSignedIn = async () => (await manager.open(cookie, WITHOUT_RENEWAL).userId()) !== undefined
        while (!stream.aborted && (await isSignedIn())) {
          await stream.writeSSE({ event: 'heartbeat', data: '' })
          await stream.sleep(heartbeatMs)
        }
        await stream.writeSSE({ event: 'signed-out', data: '' })
      })
    })
    .use(session(manager))
    .get('/', async (c) => c.text((await c.var.session.userId()) ?? 'stranger'))
}
