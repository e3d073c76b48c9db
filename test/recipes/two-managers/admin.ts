import { Hono } from 'hono'
import { session } from 'holdfast/hono'
import { admin, type AdminEnv } from './sessions.ts'

/** Of an app that has the shop's session: `app.use(session(shop)).route('/admin', adminArea)`. */
export const adminArea = new Hono<AdminEnv>()
  .use(session(admin, { as: 'admin' }))
  .post('/login', (c) => {
    c.var.admin.signIn('u1')
    c.var.admin.set('role', 'editor')
    return c.redirect('/admin')
  })
  .get('/', async (c) => {
    const role = await c.var.admin.get('role')
    if (role === undefined) return c.text('sign in', 401)
    return c.json({ role, cart: (await c.var.session.get('cart')) ?? [] })
  })
