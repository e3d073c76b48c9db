import type { Context, HonoRequest, MiddlewareHandler } from 'hono'
import { checkMount, createSessionManager, headersOf, joined } from '../core/index.ts'
import { MOUNTED, refuseAssigned, withMounted } from '../core/index.ts'
import type { CommitResponse, Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

/** What the middleware adds to `c.var`. */
export type SessionVariables<
  Data extends SessionData<Data> = Record<string, any>,
  As extends string = 'session',
> = { [Property in As]: Session<Data> }

/**
 * Hono middleware: the request's session as `c.var.session`, committed after the handler and before the response
 * leaves.
 *
 * - `as`: another name for it, so that managers with cookie names of their own stand beside each other. Default `'session'`.
 *   Whoever sets the variable to something else gets a `TypeError` at the commit, which says what to write.
 * - `renew(c.req)`: whether the request counts as use, asked at the first read: one that polls must not keep an idle
 *   session alive (ASVS 7.3.1). Default: every request does.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * const app = new Hono().use(session<{ views: number }>())
 * app.get('/', async (c) => c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`))
 */
export function session<Data extends SessionData<Data> = Record<string, any>, As extends string = 'session'>(
  optionsOrManager: SessionOptions | SessionManager<Data> = {},
  options: { as?: As | undefined; renew?: ((request: HonoRequest) => boolean) | undefined } = {},
): MiddlewareHandler<{ Variables: SessionVariables<Data, As> }> {
  const manager = createSessionManager<Data>(optionsOrManager)
  const { as, renew } = checkMount(options)
  const name = `c.var.${as}`
  const open = manager.opener<Context>({
    cookieHeader: (c) => c.req.raw.headers.get('cookie'),
    canSetHeaders: (c) => !hasLeft(c),
    renew: renew && ((c) => renew(c.req)),
  })
  // By `then`: an `await` costs an untouched request as much memory as all the rest.
  return function session(c: Context, next) {
    const mounted: unknown = c.get(MOUNTED)
    const own = joined(manager, mounted, c.get(as), name)
    const session = own ?? open(c)
    c.set(as, session)
    if (own) return next()
    c.set(MOUNTED, withMounted(mounted, session))
    return next().then(
      () => answered(c, session),
      (thrown) => unanswered(c, session, thrown),
    )
  }

  function answered(c: Context, session: Session<Data>): Promise<void> | undefined {
    // Whoever set it thinks that it counts, unless an error is answered anyway.
    const committing =
      c.get(as) === session || c.res.status >= 500
        ? manager.commit(session, described, c)
        : refuseAssigned(manager, session, described(c), name)
    return committing?.catch((error: unknown) => {
      void c.res.body?.cancel().catch(() => {})
      throw error
    })
  }

  /** Hono has answered every Error before it gets here; what else is thrown gets no answer that could carry a cookie. */
  async function unanswered(c: Context, session: Session<Data>, thrown: unknown): Promise<never> {
    c.set(UNANSWERED, true)
    await manager.commit(session, () => ({ status: 500, headers: new Headers() }))
    throw thrown
  }
}

const UNANSWERED = Symbol('holdfast unanswered')

function described(c: Context): CommitResponse {
  return {
    status: c.res.status,
    headers: headersOf(c),
    url: c.req.url,
    forwardedProto: c.req.header('x-forwarded-proto'),
  }
}

/** Nobody answers, or it is done: on Node a handler may have answered by `c.env.outgoing` itself (`RESPONSE_ALREADY_SENT` of @hono/node-server). */
function hasLeft(c: Context): boolean {
  const { outgoing } = (c.env ?? {}) as { outgoing?: { headersSent?: boolean } }
  if (c.get(UNANSWERED) || outgoing?.headersSent) return true
  return outgoing !== undefined && c.finalized && c.res.headers.has('x-hono-already-sent')
}
