import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { session } from 'holdfast/hono'

type Data = { cart: string[]; views: number }

const app = new Hono().use(session<Data>())

app.get('/', async (c) => {
  const { session } = c.var
  const views = await session.update('views', (n = 0) => n + 1)
  return c.text(`view ${views} of ${(await session.userId()) ?? 'nobody'}`)
})
app.post('/login', (c) => {
  c.var.session.signIn('u1')
  return c.redirect('/')
})
app.post('/logout', (c) => {
  c.var.session.destroy()
  return c.redirect('/')
})

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) })
