import { Hono } from 'hono'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

export type Data = { cart: string[] }

export function createShop(manager: SessionManager<Data>) {
  const app = new Hono().use(session(manager))
  app.get('/', async (c) => c.text(`Hello, ${(await c.var.session.userId()) ?? 'stranger'}`))
  app.post('/cart/:item', async (c) => {
    await c.var.session.update('cart', (cart = []) => [...cart, c.req.param('item')])
    return c.body(null, 204)
  })
  app.post('/login', (c) => {
    c.var.session.signIn('u1')
    return c.redirect('/')
  })
  return app
}
