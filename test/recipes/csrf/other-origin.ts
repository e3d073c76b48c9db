import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { csrf } from 'hono/csrf'
import { session } from 'holdfast/hono'

/** Whose pages may ask, and read what is answered. */
const PAGES = ['https://app.shop.example']

export const app = new Hono()
  .use(cors({ origin: PAGES, credentials: true }))
  .use(csrf({ origin: PAGES }))
  .use(session<{ orders: number }>())

app.post('/order', async (c) => c.text(`order ${await c.var.session.update('orders', (n = 0) => n + 1)}`))
