import type { Context, Middleware, Next } from 'koa'
import { createSessionManager } from '../core/index.ts'
import type { ResponseHeaders, Session, SessionData, SessionManager, SessionOptions } from '../core/index.ts'

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
  return async function session(ctx, next) {
    if (manager.joins(ctx.session)) return next()
    const session = manager.open(() => ctx.req.headers.cookie, { canSetHeaders: () => !ctx.headerSent })
    ctx.session = session
    const failure = await failureOf(next)
    await manager.commit(session, () => ({
      status: ctx.status,
      error: failure?.error,
      headers: headersThatSurviveErrors(ctx as unknown as Context),
      url: ctx.href,
      forwardedProto: ctx.get('X-Forwarded-Proto'),
    }))
    if (failure) throw failure.error
  }
}

async function failureOf(next: Next): Promise<{ error: unknown } | undefined> {
  try {
    await next()
    return undefined
  } catch (error) {
    // Koa takes a thrown nothing for no error, and answers it never.
    return { error: error ?? new Error(`${error} was thrown`) }
  }
}

/** The response's headers; what is added goes out even when Koa answers an error. */
function headersThatSurviveErrors(ctx: Context): ResponseHeaders {
  const added: Headers = {}
  const { onerror } = ctx
  // ctx.onerror strips every header of the response, but sends the error's own.
  ctx.onerror = (thrown) => {
    if (thrown == null) return onerror.call(ctx, thrown)
    const error: HeaderedError =
      thrown instanceof Error ? thrown : new Error('non-error thrown', { cause: thrown })
    const own = error.headers
    // Lent for this call, which answers at once: the application may throw one error object to many visitors.
    error.headers = merged(own, added)
    try {
      onerror.call(ctx, error)
    } finally {
      if (own) error.headers = own
      else delete error.headers
    }
  }
  return {
    get: (name) => ctx.response.get(name),
    set(name, value) {
      added[name] = value
      ctx.set(name, value)
    },
    append(name, value) {
      added[name] = value
      ctx.append(name, value)
    },
    delete(name) {
      ctx.remove(name)
    },
  }
}

type Headers = Record<string, string | string[]>
type HeaderedError = Error & { headers?: Headers }

function merged(own: Headers = {}, added: Headers): Headers {
  const headers = { ...added, ...own }
  for (const name of ['Set-Cookie', 'Vary']) {
    if (added[name] && own[name]) headers[name] = [own[name], added[name]].flat()
  }
  // A response that sets the session cookie is not to be stored, whatever the error says.
  if (added['Cache-Control'] === 'no-store') headers['Cache-Control'] = 'no-store'
  return headers
}
