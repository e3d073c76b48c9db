import { Hono } from 'hono'
import { createSessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

const shop = createSessionManager<{ cart: string[] }>()
const admin = createSessionManager<{ role: string }>({
  cookie: { name: '__Host-admin', sameSite: 'strict' },
  idleTimeout: 15 * 60,
  absoluteTimeout: 8 * 3600,
})

export const app = new Hono()
  .use(session(shop))
  .post('/cart', async (c) => {
    await c.var.session.update('cart', (cart = []) => [...cart, 'rope'])
    return c.redirect('/')
  })
  .post('/logout', (c) => {
    c.var.session.destroy()
    return c.redirect('/')
  })
  .use('/admin/*', session(admin, { as: 'admin' }))
  .post('/admin/login', (c) => {
    c.var.admin.signIn('u1')
    c.var.admin.set('role', 'editor')
    return c.redirect('/admin/')
  })
  .post('/admin/logout', (c) => {
    c.var.admin.destroy()
    return c.redirect('/')
  })
  .get('/admin/', async (c) => {
    const role = await c.var.admin.get('role')
    if (role === undefined) return c.text('sign in', 401)
    return c.json({ role, cart: (await c.var.session.get('cart')) ?? [] })
  })
