import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { session } from 'holdfast/hono'

const app = new Hono().use(session<{ views: number }>())

app.get('/', async (c) => {
  const views = await c.var.session.update('views', (n = 0) => n + 1)
  return c.text(`view ${views} of ${(await c.var.session.userId()) ?? 'nobody'}`)
})
app.post('/login', (c) => {
  c.var.session.signIn('u1') // once the password was right
  return c.redirect('/')
})
app.post('/logout', (c) => {
  c.var.session.destroy()
  return c.redirect('/')
})

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) })
