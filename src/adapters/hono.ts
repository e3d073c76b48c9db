import type { Context, MiddlewareHandler } from 'hono'
import { createSessionManager, headersOf } from '../core/index.ts'
import type {
  CommitResponse,
  ResponseHeaders,
  ResponseHolder,
  Session,
  SessionData,
  SessionManager,
  SessionOptions,
} from '../core/index.ts'

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
      // Hono has answered every Error before it gets here; what else is thrown gets no answer that could carry a cookie.
      await manager.commit(session, { status: 500, headers: new Headers() })
      throw thrown
    }
    await manager.commit(session, new HonoResponse(c)).catch((error: unknown) => {
      void c.res.body?.cancel().catch(() => {})
      throw error
    })
    return undefined
  }
}

/**
 * Getters, so that an untouched session costs nothing. Of a class: for an object literal with getters V8 makes a hidden
 * class a request, which doubled what an untouched request costs, nearly all of it in the garbage collector.
 */
class HonoResponse implements CommitResponse, ResponseHolder {
  readonly #c: Context

  constructor(c: Context) {
    this.#c = c
  }

  get current(): Response {
    return this.#c.res
  }

  set current(copy: Response) {
    this.#c.res = copy
  }

  get headers(): ResponseHeaders {
    return headersOf(this)
  }

  get status(): number {
    return this.#c.res.status
  }

  get error(): unknown {
    return this.#c.error
  }

  get url(): string {
    return this.#c.req.url
  }

  get forwardedProto(): string | undefined {
    return this.#c.req.header('x-forwarded-proto')
  }
}
