import type { Hono } from 'hono'
import { deleteCookie, getCookie } from 'hono/cookie'
import { createMiddleware } from 'hono/factory'
import type { SessionVariables } from 'holdfast/hono'
import { carryOver, type Data, type OldData } from './carry-over.ts'

/** After `session(manager)`. `old` is an app with the old library, which says what a session holds, and ends it. */
export function fromHono(old: Pick<Hono, 'request'>, name: string) {
  return createMiddleware<{ Variables: SessionVariables<Data> }>(async (c, next) => {
    if (getCookie(c, name) !== undefined) {
      const headers = { cookie: c.req.header('cookie')! }
      const data: unknown = await (await old.request('/', { headers }, c.env)).json()
      if (await carryOver(c.var.session, data as Partial<OldData> | null)) {
        await old.request('/', { method: 'DELETE', headers }, c.env)
        deleteCookie(c, name)
      }
    }
    await next()
  })
}
