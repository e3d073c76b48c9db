import Koa from 'koa'
import { session, type SessionContext } from 'holdfast/koa'
import { sameOriginOnly } from '../../../examples/node/same-origin-only.ts'

export const app = new Koa<object, SessionContext<{ orders: number }>>()

app.use(sameOriginOnly) // before the session: what is refused costs nothing
app.use(session<{ orders: number }>())

app.use(async (ctx) => {
  if (ctx.method !== 'POST') ctx.throw(405)
  ctx.body = `order ${await ctx.session.update('orders', (n = 0) => n + 1)}`
})
