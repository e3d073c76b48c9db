import { ServerResponse } from 'node:http'
import type { SessionContext } from 'holdfast/koa'
import type { Middleware } from 'koa'
import type { Client } from 'memjs'
import { carryOver, type Data } from './carry-over.ts'

/** After `session(manager)`; `app.keys` stays. `old` is where koa-session's store kept its records, if it had one. */
export function fromKoaSession(old?: Client, name = 'koa.sess'): Middleware<object, SessionContext<Data>> {
  return async (ctx, next) => {
    // Apart, since to read a cookie with a wrong signature clears that.
    const { cookies } = ctx.app.createContext(ctx.req, new ServerResponse(ctx.req))
    const cookie = cookies.get(name, { signed: true })
    if (cookie !== undefined) {
      const text = old ? (await old.get(cookie)).value : Buffer.from(cookie, 'base64')
      const { _expire = Infinity, ...data } = text ? JSON.parse(String(text)) : {}
      if (_expire > Date.now() && (await carryOver(ctx.session, data))) {
        await old?.delete(cookie)
        ctx.cookies.set(name, null, { signed: true })
      }
    }
    await next()
  }
}
