import { Hono } from 'hono'
import { csrf } from 'hono/csrf'
import { session } from 'holdfast/hono'

export const app = new Hono()
  .use(csrf()) // before the session: what is refused costs nothing
  .use(session<{ orders: number }>())

app.post('/order', async (c) => c.text(`order ${await c.var.session.update('orders', (n = 0) => n + 1)}`))
