import { Hono } from 'hono'
import { session } from 'holdfast/hono'
import { manager } from './manager.ts'

export const app = new Hono()
  .get('/healthz', (c) => c.text('ok')) // touches no session: it is well while the store is down
  .use(session(manager))

app.get('/', async (c) => {
  const { session } = c.var
  return c.text(`${(await session.userId()) ?? 'nobody'}: ${((await session.get('notes')) ?? []).join()}`)
})
app.post('/login', (c) => {
  c.var.session.signIn('u1')
  return c.redirect('/')
})
app.post('/notes', async (c) => {
  const note = await c.req.text()
  await c.var.session.update('notes', (notes = []) => [...notes, note])
  return c.text('noted')
})
