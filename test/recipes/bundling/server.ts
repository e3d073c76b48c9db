import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { session } from 'holdfast/hono'
import { MemcachedStore } from 'holdfast/memcached'

const store = new MemcachedStore(process.env.SESSION_STORE ?? 'memcached://127.0.0.1:11200')
const app = new Hono().use(session({ store, secret: process.env.SESSION_SECRET }))

app.get('/', async (c) => c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`))
app.onError((error, c) => {
  if ('getResponse' in error) return error.getResponse() // the 503 of a store that fails, and each HTTPException
  console.error(error)
  return c.text('failed', 500)
})

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) })
