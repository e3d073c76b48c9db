import { createFactory } from 'hono/factory'
import { session } from 'holdfast/hono'
import { manager, type Env } from './sessions.ts'

const factory = createFactory<Env>({ initApp: (app) => app.use(session(manager)) })

const membersOnly = factory.createMiddleware(async (c, next) => {
  if ((await c.var.session.userId()) === undefined) return c.text('sign in first', 401)
  return next()
})

const order = factory.createHandlers(membersOnly, async (c) => {
  const items = (await c.var.session.take('cart')) ?? []
  await c.var.session.save() // of two clicks, one orders
  return c.text(`ordered: ${items.join(', ')}`)
})

export const members = factory.createApp().post('/order', ...order)
