import { createSessionManager } from '../core/index.ts'
import type { Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

const sessions = new WeakMap<Request, unknown>()

/**
 * Wraps a fetch handler (`Bun.serve`, `Deno.serve`, anything `Request -> Response`): it gets the request's session,
 * which is committed before the response is returned. Further arguments of the server are passed on.
 *
 * An error that brings its own answer (`getResponse()`: the 503 of a store that fails, Hono's `HTTPException`) is
 * answered with it. Any other is thrown on, and then no response carries the session's cookie.
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
  return async (request, ...rest) => {
    const joined = sessions.get(request)
    if (manager.joins(joined)) return handler(request, joined, ...rest)
    const session = manager.open(() => request.headers.get('cookie'))
    sessions.set(request, session)
    let response: Response
    try {
      response = await handler(request, session, ...rest)
    } catch (error) {
      const headers = new Headers()
      await manager.commit(session, { status: 500, error, headers }).catch(() => {})
      return answerOf(error, headers)
    }
    try {
      await manager.commit(session, {
        status: response.status,
        get headers() {
          response = withMutableHeaders(response)
          return response.headers
        },
        url: request.url,
        get forwardedProto() {
          return request.headers.get('x-forwarded-proto')
        },
      })
      return response
    } catch (error) {
      return answerOf(error, response.headers)
    }
  }
}

function answerOf(error: unknown, sessionHeaders: Headers): Response {
  if (!hasAnswer(error)) throw error
  const response = withMutableHeaders(error.getResponse())
  for (const cookie of sessionHeaders.getSetCookie()) response.headers.append('Set-Cookie', cookie)
  for (const name of ['Vary', 'Cache-Control']) {
    const value = sessionHeaders.get(name)
    if (value !== null && !response.headers.has(name)) response.headers.set(name, value)
  }
  return response
}

function hasAnswer(error: unknown): error is { getResponse: () => Response } {
  return error instanceof Error && 'getResponse' in error && typeof error.getResponse === 'function'
}

/** The headers of a redirect or of a fetched response are immutable: such a response is copied. */
function withMutableHeaders(response: Response): Response {
  try {
    response.headers.delete('Holdfast')
    return response
  } catch {
    return new Response(response.body, response)
  }
}
