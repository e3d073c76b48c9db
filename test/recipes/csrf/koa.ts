import Koa from 'koa'
import { session, type SessionContext } from 'holdfast/koa'
import { mayBeForged } from './may-be-forged.ts'

export const app = new Koa<object, SessionContext<{ orders: number }>>()

// Before the session: what is refused costs nothing.
app.use((ctx, next) => {
  // Not ctx.origin, which is the request's own Origin header.
  if (mayBeForged(ctx, ctx.URL.origin)) ctx.throw(403)
  return next()
})
app.use(session<{ orders: number }>())

app.use(async (ctx) => {
  if (ctx.method !== 'POST') ctx.throw(405)
  ctx.body = `order ${await ctx.session.update('orders', (n = 0) => n + 1)}`
})
