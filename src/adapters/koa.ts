import type { Context, Middleware, Request } from 'koa'
import { createSessionManager, isError, checkMount, joined, sessionProperty, taken } from '../core/index.ts'
import type { CommitResponse, ResponseHeaders, Session } from '../core/index.ts'
import type { SessionData, SessionManager, SessionOptions } from '../core/index.ts'

/** What the middleware adds to Koa's context. */
export type SessionContext<
  Data extends SessionData<Data> = Record<string, any>,
  As extends string = 'session',
> = { readonly [Property in As]: Session<Data> }

/**
 * Koa middleware: the request's session as `ctx.session`, committed after the handler and before the response leaves.
 *
 * - `as`: another name for it, so that managers with cookie names of their own stand beside each other. Default `'session'`.
 *   Whoever assigns over it gets a `TypeError`, which says what to write.
 * - `renew(ctx.request)`: whether the request counts as use, asked at the first read: one that polls must not keep an
 *   idle session alive (ASVS 7.3.1). Default: every request does.
 *
 * Throws `TypeError` or `RangeError` for wrong options.
 *
 * @example
 * const app = new Koa().use(session<{ views: number }>())
 * app.use(async (ctx) => {
 *   ctx.body = `view ${await ctx.session.update('views', (n = 0) => n + 1)}`
 * })
 */
export function session<Data extends SessionData<Data> = Record<string, any>, As extends string = 'session'>(
  optionsOrManager: SessionOptions | SessionManager<Data> = {},
  options: { as?: As | undefined; renew?: ((request: Request) => boolean) | undefined } = {},
): Middleware<object, SessionContext<Data, NoInfer<As>>> {
  const manager = createSessionManager<Data>(optionsOrManager)
  const { as, renew } = checkMount(options)
  const name = `ctx.${as}`
  const slot = Symbol.for(`holdfast ${name}`)
  const open = manager.opener<Context>({
    cookieHeader: (ctx) => ctx.req.headers.cookie,
    canSetHeaders: (ctx) => !ctx.headerSent,
    renew: renew && ((ctx) => renew(ctx.request)),
  })
  // By `then`: an `await` costs an untouched request as much memory as all the rest.
  return function session(ctx: Context, next) {
    const own = joined(manager, mountedOn(ctx, as, slot), ctx[as], name)
    const session = own ?? open(ctx)
    ctx[slot] = session
    if (own) return next()
    // Somebody's own null would hide it.
    if (ctx[as] !== session) delete ctx[as]
    return next().then(
      () => manager.commit(session, described, ctx),
      (thrown) => failed(ctx, session, thrown),
    )
  }

  async function failed(ctx: Context, session: Session<Data>, thrown: unknown): Promise<never> {
    // Koa takes a thrown nothing for no error, and answers it never.
    const error = thrown ?? new Error(`${thrown} was thrown`)
    await manager.commit(session, () => ({ ...described(ctx), error }))
    throw error
  }
}

function described(ctx: Context): CommitResponse {
  return {
    status: ctx.status,
    headers: headersThatSurviveErrors(ctx),
    url: ctx.href,
    forwardedProto: ctx.get('X-Forwarded-Proto'),
  }
}

/** The slots of the sessions that an application has; its contexts have an accessor for each, which costs no request. */
const SLOTS = Symbol.for('holdfast slots')

/** The sessions of this request; adds the accessor when the application has none of this name. */
function mountedOn(ctx: Context, as: string, slot: symbol): unknown {
  const contexts = ctx.app.context
  const slots: symbol[] = (contexts[SLOTS] ??= [])
  if (!slots.includes(slot)) {
    if (as in contexts) throw taken(`ctx.${as}`)
    Object.defineProperty(contexts, as, sessionProperty(as, slot, `ctx.${as}`))
    slots.push(slot)
  }
  return slots.length === 1 ? ctx[slot] : slots.map((each) => ctx[each])
}

/** The response's headers; what is added goes out even when Koa answers an error. */
function headersThatSurviveErrors(ctx: Context): ResponseHeaders {
  const added: Headers = {}
  const { onerror } = ctx
  // ctx.onerror strips every header of the response, but sends the error's own.
  ctx.onerror = (thrown) => {
    if (thrown == null) return onerror.call(ctx, thrown)
    const error: HeaderedError = isError(thrown) ? thrown : new Error('non-error thrown', { cause: thrown })
    // Lent for this call, which answers at once: the application may throw one error object to many visitors.
    const own = Object.getOwnPropertyDescriptor(error, 'headers')
    const lent = { value: merged(error.headers, added), configurable: true, enumerable: true, writable: true }
    const isLent = Reflect.defineProperty(error, 'headers', lent)
    try {
      onerror.call(ctx, isLent ? error : Object.create(error, { headers: lent }))
    } finally {
      if (own) Reflect.defineProperty(error, 'headers', own)
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
    delete: (name) => ctx.remove(name),
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
