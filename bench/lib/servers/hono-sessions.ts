import { Hono } from 'hono'
import { sessionMiddleware, type Session } from 'hono-sessions'
import { sampleData, type Data } from '../sample-data.ts'
import { listenWithFetch, paths, TTL_SECONDS } from './listening.ts'
import { memjsStore } from './memjs-store.ts'

/** Its cookie is not encrypted, which is its default for such stores, and its leaner way. */
const app = new Hono<{ Variables: { session: Session<Data> } }>().use(
  sessionMiddleware({
    store: {
      getSessionById: (id) => memjsStore.get(id!),
      createSession: memjsStore.set,
      persistSessionData: memjsStore.set,
      deleteSession: memjsStore.delete,
    },
    expireAfterSeconds: TTL_SECONDS,
    cookieOptions: { path: '/', httpOnly: true, sameSite: 'Lax' },
  }) as never,
)
app.get(paths.untouched, (c) => c.text('no session'))
app.get(paths.signIn, (c) => {
  for (const [key, value] of Object.entries(sampleData())) c.var.session.set(key as keyof Data, value)
  return c.text('signed in')
})
app.get(paths.read, (c) => c.text(`user ${c.var.session.get('userId')}`))
app.get(paths.write, (c) => {
  const views = c.var.session.get('views')! + 1
  c.var.session.set('views', views)
  return c.text(`views ${views}`)
})
listenWithFetch(app.fetch)
