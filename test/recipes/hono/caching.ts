import { Hono } from 'hono'
import { cache } from 'hono/cache'
import { etag } from 'hono/etag'
import { session } from 'holdfast/hono'

export const app = new Hono()
  .use(cache({ cacheName: 'shop', wait: true }))
  .use(session<{ cart: string[] }>())
  .use(etag())
  .get('/', (c) => {
    c.header('Cache-Control', 'public, max-age=60')
    return c.text('the same for everybody')
  })
  .get('/greeting', async (c) => c.text(`Hello, ${(await c.var.session.userId()) ?? 'stranger'}`))
  .post('/login', (c) => {
    c.var.session.signIn('u1')
    return c.redirect('/greeting')
  })
