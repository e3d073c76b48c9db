import type { MiddlewareHandler } from 'hono'
import { createSessionManager, headersOf } from '../core/index.ts'
import type { Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

/** What the middleware adds to `c.var`. */
export interface SessionVariables<Data extends SessionData<Data> = Record<string, any>> {
  session: Session<Data>
}

/**
 * Hono middleware: the request's session as `c.var.session`, committed after the handler and before the response
 * leaves.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * const app = new Hono().use(session<{ views: number }>())
 * app.get('/', async (c) => c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`))
 */
export function session<Data extends SessionData<Data> = Record<string, any>>(
  optionsOrManager: SessionOptions | SessionManager<Data> = {},
): MiddlewareHandler<{ Variables: SessionVariables<Data> }> {
  const manager = createSessionManager<Data>(optionsOrManager)
  return async function session(c, next) {
    if (manager.joins(c.get('session'))) return next()
    const session = manager.open(() => c.req.raw.headers.get('cookie'), {
      canSetHeaders: () => !hasLeft(c.env),
    })
    c.set('session', session)
    try {
      await next()
    } catch (thrown) {
      // Hono has answered every Error before it gets here; what else is thrown gets no answer that could carry a cookie.
      await manager.commit(session, () => ({ status: 500, headers: new Headers() }))
      throw thrown
    }
    const committing = manager.commit(session, () => ({
      status: c.res.status,
      headers: headersOf(c),
      url: c.req.url,
      forwardedProto: c.req.header('x-forwarded-proto'),
    }))
    if (!committing) return undefined
    return committing.catch((error: unknown) => {
      void c.res.body?.cancel().catch(() => {})
      throw error
    })
  }
}

/** On Node a handler may have answered by `c.env.outgoing` itself (`RESPONSE_ALREADY_SENT` of @hono/node-server). */
function hasLeft(env: unknown): boolean {
  return (env as { outgoing?: { headersSent?: boolean } } | undefined)?.outgoing?.headersSent ?? false
}
