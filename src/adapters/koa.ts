import type { Middleware } from 'koa'
import { createSessionManager } from '../core/index.ts'
import type { Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

/** What the middleware adds to Koa's context. */
export interface SessionContext<Data extends SessionData<Data> = Record<string, any>> {
  session: Session<Data>
}

/**
 * Koa middleware: the request's session as `ctx.session`, committed after the handler and before the response leaves.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * const app = new Koa().use(session<{ views: number }>())
 * app.use(async (ctx) => {
 *   ctx.body = `view ${await ctx.session.update('views', (n = 0) => n + 1)}`
 * })
 */
export function session<Data extends SessionData<Data> = Record<string, any>>(
  optionsOrManager: SessionOptions | SessionManager<Data> = {},
): Middleware<object, SessionContext<Data>> {
  const manager = createSessionManager<Data>(optionsOrManager)
  return async (ctx, next) => {
    if (manager.joins(ctx.session)) return next()
    const session = manager.open(ctx.req.headers.cookie)
    ctx.session = session
    let failure: HeaderedError | undefined
    await next().catch((thrown: unknown) => {
      failure = asError(thrown)
    })
    const added: Record<string, string> = {}
    const response = {
      error: failure,
      headers: {
        get: (name: string) => ctx.response.get(name),
        set(name: string, value: string) {
          added[name] = value
          ctx.set(name, value)
        },
        append(name: string, value: string) {
          added[name] = value
          ctx.append(name, value)
        },
      },
      get status() {
        return ctx.status
      },
      get url() {
        return ctx.href
      },
      get forwardedProto() {
        return ctx.get('X-Forwarded-Proto')
      },
    }
    await manager.commit(session, response).catch((commitError: unknown) => {
      failure ??= asError(commitError)
    })
    if (!failure) return
    failure.headers = withSessionHeaders(failure.headers, added)
    throw failure
  }
}

type HeaderedError = Error & { headers?: Record<string, string | string[]> }

/** Koa makes an Error of whatever else is thrown, but too late to hang headers on it. */
function asError(thrown: unknown): HeaderedError {
  return thrown instanceof Error ? thrown : new Error('non-error thrown', { cause: thrown })
}

/**
 * ctx.onerror strips every header of the response, but sends the error's own. These win, unless the response sets the
 * session cookie: then it must not be stored.
 */
function withSessionHeaders(
  own: HeaderedError['headers'] = {},
  { 'Set-Cookie': cookie, ...others }: Record<string, string>,
): Record<string, string | string[]> {
  if (cookie === undefined) return { ...others, ...own }
  return { ...own, ...others, 'Set-Cookie': [own['Set-Cookie'] ?? [], cookie].flat() }
}
