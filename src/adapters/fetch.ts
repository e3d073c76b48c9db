import { checkMount, createSessionManager, hasAnswer, headersOf, joined, withMounted } from '../core/index.ts'
import type { CommitResponse, Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

/** Of each request its session, or a list of those of several managers, of every copy of this package. */
const SESSIONS = Symbol.for('holdfast sessions of requests')

/**
 * Wraps a fetch handler (`Bun.serve`, `Deno.serve`, anything `Request -> Response`): it gets the request's session,
 * which is committed before the response is returned. Further arguments of the server are passed on.
 *
 * An error that brings its own answer (`getResponse()`: the 503 of a store that fails, Hono's `HTTPException`) is
 * answered with it. Any other is thrown on: then changes are dropped, and no response carries the session's cookie.
 *
 * A handler that returns nothing has answered otherwise, as by Bun's `server.upgrade`; what its changes need no cookie
 * for is saved.
 *
 * - `renew(request)`: whether the request counts as use, asked at the first read: one that polls must not keep an idle
 *   session alive (ASVS 7.3.1). Default: every request does.
 *
 * `withSession<Data>(…)` infers nothing else: to type more than the data, pass a manager.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * Bun.serve({ fetch: withSession({}, async (request, session) => new Response(await session.get('name'))) })
 */
export function withSession<
  Data extends SessionData<Data> = Record<string, any>,
  Rest extends unknown[] = [],
  Answer extends Response | undefined = Response,
  Incoming extends Request = Request,
>(
  optionsOrManager: SessionOptions | SessionManager<Data>,
  handler: (request: Incoming, session: Session<Data>, ...rest: Rest) => Answer | Promise<Answer>,
  options: { renew?: ((request: Incoming) => boolean) | undefined } = {},
): (request: Incoming, ...rest: Rest) => Promise<Answer | Response> {
  const manager = createSessionManager<Data>(optionsOrManager)
  const { renew } = checkMount(options, ['renew'], 'withSession')
  const sessions = ((globalThis as { [SESSIONS]?: WeakMap<Request, unknown> })[SESSIONS] ??= new WeakMap())
  const open = manager.opener<Exchange<Incoming>>({
    cookieHeader: ({ request }) => request.headers.get('cookie'),
    canSetHeaders: ({ hasLeft }) => !hasLeft,
    renew: renew && (({ request }) => renew(request)),
  })
  return async function withSession(request, ...rest) {
    const mounted = sessions.get(request)
    const own = joined(manager, mounted)
    if (own) return handler(request, own, ...rest)
    const exchange: Exchange<Incoming> = { request, hasLeft: false }
    const session = open(exchange)
    sessions.set(request, withMounted(mounted, session))
    let res: Response | undefined
    try {
      res = await handler(request, session, ...rest)
    } catch (error) {
      if (!hasAnswer(error)) {
        exchange.hasLeft = true
        await manager.commit(session, () => ({ status: 500, headers: new Headers() }))
        throw error
      }
      res = error.getResponse()
    }
    // Of an upgrade the head has left already, and a cookie goes nowhere (D10).
    exchange.hasLeft = !res || res.status === 101
    if (!res) {
      await manager.commit(session, () => ({ status: 101, headers: new Headers() }))
      return res as Answer
    }
    const holder = { request, res }
    try {
      const committing = manager.commit(session, described, holder)
      if (committing) await committing
      return holder.res
    } catch (error) {
      void holder.res.body?.cancel().catch(() => {})
      if (!hasAnswer(error)) throw error
      return withCookiesOf(holder.res, error.getResponse())
    }
  }
}

interface Exchange<Incoming extends Request> {
  readonly request: Incoming
  /** That is, the head of its response. */
  hasLeft: boolean
}

function described(holder: { request: Request; res: Response }): CommitResponse {
  const { request, res } = holder
  return {
    status: res.status,
    headers: headersOf(holder),
    url: request.url,
    forwardedProto: request.headers.get('x-forwarded-proto'),
  }
}

/** What other middleware has set, or a `save()` before the failure, is still meant for the browser. */
function withCookiesOf(response: Response, answer: Response): Response {
  for (const cookie of response.headers.getSetCookie()) answer.headers.append('Set-Cookie', cookie)
  const vary = response.headers.get('Vary')
  if (vary !== null) answer.headers.set('Vary', vary)
  return answer
}
