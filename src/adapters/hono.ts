import type { Context, MiddlewareHandler } from 'hono'
import { createSessionManager } from '../core/index.ts'
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
  return async (c, next) => {
    if (manager.joins(c.get('session'))) return next()
    const session = manager.open(() => c.req.raw.headers.get('cookie'))
    c.set('session', session)
    try {
      await next()
    } catch (thrown) {
      // Hono has answered every Error before it gets here; this is something else.
      await manager.commit(session, responseOf(c, thrown ?? null)).catch(() => {})
      throw thrown
    }
    try {
      await manager.commit(session, responseOf(c, c.error))
    } catch (commitError) {
      if (c.error) return undefined
      takeBackAnswer(c)
      throw commitError
    }
    return undefined
  }
}

/** Getters, so that an untouched session costs nothing. */
function responseOf(c: Context, error: unknown): Parameters<SessionManager['commit']>[1] {
  return {
    error,
    get status() {
      return c.res.status
    },
    get headers() {
      return mutableHeaders(c)
    },
    get url() {
      return c.req.url
    },
    get forwardedProto() {
      return c.req.header('x-forwarded-proto')
    },
  }
}

/** The headers of a redirect or of a fetched response are immutable: such a response is copied. */
function mutableHeaders(c: Context): Headers {
  try {
    c.res.headers.delete('Holdfast')
  } catch {
    c.res = new Response(c.res.body, c.res)
  }
  return c.res.headers
}

/** Hono merges a replaced response's headers into the next one: what described the handler's answer must go. */
function takeBackAnswer(c: Context): void {
  const names = [...c.res.headers.keys()].filter((name) => ANSWER_HEADERS.test(name))
  for (const name of names) c.header(name, undefined)
}

const ANSWER_HEADERS = /^(content-.*|location|etag|last-modified|cache-control|expires)$/
