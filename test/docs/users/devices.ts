import { Hono } from 'hono'
import { createSessionManager } from 'holdfast'
import { session } from 'holdfast/hono'
import { signedIn } from './guard.ts'

type Data = { cart: string[]; theme: string }

export const manager = createSessionManager<Data>()

export const app = new Hono().use(session(manager))

app.get(
  '/devices',
  signedIn(async (c, userId) => {
    const devices = await manager.listSessions(userId, { current: c.var.session })
    return c.json(devices)
  }),
)
app.post(
  '/devices/end/:id',
  signedIn(async (c, userId) => {
    await manager.revoke(userId, c.req.param('id') ?? '')
    return c.redirect('/devices', 303)
  }),
)
app.post(
  '/devices/end-others',
  signedIn(async (c, userId) => {
    await manager.revokeAll(userId, { except: c.var.session })
    return c.redirect('/devices', 303)
  }),
)
