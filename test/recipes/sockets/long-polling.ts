import { Hono } from 'hono'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

const WITHOUT_RENEWAL = { renew: () => false }

/** `next` resolves with the next message, or with undefined once the signal tells it to wait no longer. */
export function createApp(
  manager: SessionManager,
  next: (signal: AbortSignal) => Promise<string | undefined>,
  waitMs = 25_000,
) {
  return new Hono().get('/messages', session(manager, WITHOUT_RENEWAL), async (c) => {
    if ((await c.var.session.userId()) === undefined) return c.body(null, 401)
    const message = await next(AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(waitMs)]))
    // He may have signed out meanwhile, and the request's session was read before.
    const now = manager.open(c.req.header('Cookie'), WITHOUT_RENEWAL)
    if ((await now.userId()) === undefined) return c.body(null, 401)
    return message === undefined ? c.body(null, 204) : c.text(message)
  })
}
