import type { Middleware, ParameterizedContext } from 'koa'
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
  return async (ctx, next) => {
    if (manager.joins(ctx.session)) return next()
    const session = manager.open(ctx.req.headers.cookie)
    ctx.session = session
    let failure: Error | undefined
    await next().catch((thrown: unknown) => {
      failure = asError(thrown)
    })
    const headers = new RememberedHeaders(ctx)
    const response = {
      headers,
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
    await manager
      .commit(session, failure ? { ...response, error: failure } : response)
      .catch((commitError: unknown) => {
        failure ??= asError(commitError)
      })
    if (!failure) return
    addToError(failure, headers.added)
    throw failure
  }
}

type Error = globalThis.Error & { headers?: Record<string, string | string[]> }

/** Koa makes an Error of whatever else is thrown, but too late to hang headers on it. */
function asError(thrown: unknown): Error {
  return thrown instanceof globalThis.Error
    ? thrown
    : new globalThis.Error('non-error thrown', { cause: thrown })
}

/**
 * ctx.onerror strips every header of the response, but sends the error's own. These win, unless the response sets the
 * session cookie: then it must not be stored.
 */
function addToError(error: Error, { 'Set-Cookie': cookie, ...others }: Record<string, string>): void {
  error.headers =
    cookie === undefined
      ? { ...others, ...error.headers }
      : { ...error.headers, ...others, 'Set-Cookie': [error.headers?.['Set-Cookie'] ?? [], cookie].flat() }
}

/** The response's headers, remembering what the session added to them. */
class RememberedHeaders implements ResponseHeaders {
  readonly added: Record<string, string> = {}
  readonly #ctx: ParameterizedContext

  constructor(ctx: ParameterizedContext) {
    this.#ctx = ctx
  }

  get(name: string): unknown {
    return this.#ctx.response.get(name)
  }

  set(name: string, value: string): void {
    this.added[name] = value
    this.#ctx.set(name, value)
  }

  append(name: string, value: string): void {
    this.added[name] = value
    this.#ctx.append(name, value)
  }
}
