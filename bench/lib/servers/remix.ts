import { createCookie } from '@remix-run/cookie'
import type { Session } from '@remix-run/session'
import { createMemcacheSessionStorage } from '@remix-run/session-storage-memcache'
import { Hono } from 'hono'
import { sampleData } from '../sample-data.ts'
import { listenWithFetch, memcached, paths, SECRET, TTL_SECONDS } from './listening.ts'

const cookie = createCookie('session', { httpOnly: true, secrets: [SECRET] })
const storage = createMemcacheSessionStorage(memcached, { ttlSeconds: TTL_SECONDS })

/** What its own middleware does, for Hono. */
const app = new Hono<{ Variables: { session: Session } }>().use(async (c, next) => {
  const session = await storage.read(await cookie.parse(c.req.raw.headers.get('Cookie')))
  c.set('session', session)
  await next()
  const value = await storage.save(session)
  if (value !== null) c.header('Set-Cookie', await cookie.serialize(value), { append: true })
})
app.get(paths.untouched, (c) => c.text('no session'))
app.get(paths.signIn, (c) => {
  for (const [key, value] of Object.entries(sampleData())) c.var.session.set(key, value)
  return c.text('signed in')
})
app.get(paths.read, (c) => c.text(`user ${c.var.session.get('userId')}`))
app.get(paths.write, (c) => {
  const views = Number(c.var.session.get('views')) + 1
  c.var.session.set('views', views)
  return c.text(`views ${views}`)
})
listenWithFetch(app.fetch)
