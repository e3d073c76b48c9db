import { createFactory } from 'hono/factory'
import { session } from 'holdfast/hono'
import { manager, type Env } from './sessions.ts'

const factory = createFactory<Env>({ initApp: (app) => app.use(session(manager)) })

const membersOnly = factory.createMiddleware(async (c, next) => {
  const userId: unknown = await c.var.session.userId()
  if (typeof userId !== 'string') return c.text('sign in first', 401)
  return next()
})

const order = factory.createHandlers(membersOnly, async (c) => {
  const items = (await c.var.session.take('cart')) ?? []
  await c.var.session.save() // of two clicks, one orders
  if (items.length === 0) return c.text('nothing to order', 409)
  return c.text(`ordered: ${items.join(', ')}`)
})

export const members = factory.createApp().post('/order', ...order)
