import { Hono } from 'hono'
import { sessionMiddleware, type Session } from 'hono-sessions'
import type { OldData } from './carry-over.ts'

/** With the options that it had. */
export function oldHonoSessions(options: Parameters<typeof sessionMiddleware>[0]) {
  return new Hono<{ Variables: { session: Session<OldData> } }>()
    .use(sessionMiddleware(options))
    .get('/', ({ json, var: { session } }) => {
      return json({ userId: session.get('userId') ?? undefined, cart: session.get('cart') ?? undefined })
    })
    .delete('/', ({ body, var: { session } }) => {
      session.deleteSession()
      return body(null)
    })
}
