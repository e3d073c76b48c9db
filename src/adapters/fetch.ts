import { createSessionManager, hasAnswer, headersOf } from '../core/index.ts'
import { joined, withMounted } from '../core/mounting.ts'
import type { Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

/** Of each request its session, or a list of those of several managers. */
const sessions = new WeakMap<Request, unknown>()

/**
 * Wraps a fetch handler (`Bun.serve`, `Deno.serve`, anything `Request -> Response`): it gets the request's session,
 * which is committed before the response is returned. Further arguments of the server are passed on.
 *
 * An error that brings its own answer (`getResponse()`: the 503 of a store that fails, Hono's `HTTPException`) is
 * answered with it. Any other is thrown on: then changes are dropped, and no response carries the session's cookie.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * Bun.serve({ fetch: withSession({}, async (request, session) => new Response(await session.get('name'))) })
 */
export function withSession<
  Data extends SessionData<Data> = Record<string, any>,
  Rest extends unknown[] = [],
>(
  optionsOrManager: SessionOptions | SessionManager<Data>,
  handler: (request: Request, session: Session<Data>, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const manager = createSessionManager<Data>(optionsOrManager)
  return async function withSession(request, ...rest) {
    const mounted = sessions.get(request)
    const own = joined(manager, mounted)
    if (own) return handler(request, own, ...rest)
    const session = manager.open(() => request.headers.get('cookie'))
    sessions.set(request, withMounted(mounted, session))
    const commit = (holder: { res: Response }) =>
      manager.commit(session, () => ({
        status: holder.res.status,
        headers: headersOf(holder),
        url: request.url,
        forwardedProto: request.headers.get('x-forwarded-proto'),
      }))
    let res: Response
    try {
      res = await handler(request, session, ...rest)
    } catch (error) {
      if (!hasAnswer(error)) {
        await commit({ res: new Response(null, { status: 500 }) })
        throw error
      }
      res = error.getResponse()
    }
    const holder = { res }
    try {
      await commit(holder)
      return holder.res
    } catch (error) {
      if (!hasAnswer(error)) throw error
      void holder.res.body?.cancel().catch(() => {})
      return withCookiesOf(holder.res, error.getResponse())
    }
  }
}

/** What other middleware has set, or a `save()` before the failure, is still meant for the browser. */
function withCookiesOf(response: Response, answer: Response): Response {
  for (const cookie of response.headers.getSetCookie()) answer.headers.append('Set-Cookie', cookie)
  const vary = response.headers.get('Vary')
  if (vary !== null) answer.headers.set('Vary', vary)
  return answer
}
