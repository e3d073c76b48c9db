import { createSessionManager } from 'holdfast'
import { session, type SessionContext } from 'holdfast/koa'
import Koa from 'koa'
import mount from 'koa-mount'

type Data = { cart: string[] }
type Context = SessionContext<Data>

const shop = createSessionManager<Data>()
const admins = createSessionManager<{ role: string }>({
  cookie: { name: '__Host-admin', sameSite: 'strict' },
})

const admin = new Koa<object, Context>().use(session(admins, { as: 'admin' }))
admin.use(async (ctx) => {
  if (ctx.path === '/login' && ctx.method === 'POST') {
    ctx.admin.signIn('u1')
    ctx.admin.set('role', 'editor')
    ctx.redirect('/admin/')
    return
  }
  ctx.body = { role: (await ctx.admin.get('role')) ?? 'none', cart: (await ctx.session.get('cart')) ?? [] }
})

export const app = new Koa<object, Context>()
app.use(session(shop))
app.use(mount('/admin', admin))
app.use(async (ctx) => {
  if (ctx.method === 'POST') await ctx.session.update('cart', (cart = []) => [...cart, 'rope'])
  ctx.body = (await ctx.session.get('cart')) ?? []
})
