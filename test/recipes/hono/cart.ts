import { Hono } from 'hono'
import type { Env } from './sessions.ts'

export const cart = new Hono<Env>()
  .get('/', async (c) => c.json({ cart: (await c.var.session.get('cart')) ?? [] }))
  .post('/:item', async (c) => {
    const item = c.req.param('item')
    return c.json({ cart: await c.var.session.update('cart', (cart = []) => [...cart, item]) })
  })
