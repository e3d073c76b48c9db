import { useSession, useSessionStorage, type SessionEnv } from '@hono/session'
import { Hono } from 'hono'
import { sampleData } from '../sample-data.ts'
import { listenWithFetch, paths, TTL_SECONDS } from './listening.ts'
import { memjsStore } from './memjs-store.ts'

const app = new Hono<SessionEnv>().use(
  useSessionStorage(memjsStore as never),
  useSession({ secret: '0f'.repeat(32), duration: { absolute: TTL_SECONDS } }),
)
app.get(paths.untouched, (c) => c.text('no session'))
app.get(paths.signIn, async (c) => {
  await c.var.session.update({ ...sampleData() })
  return c.text('signed in')
})
app.get(paths.read, async (c) => c.text(`user ${(await c.var.session.get())?.['userId']}`))
app.get(paths.write, async (c) => {
  const { session } = c.var
  await session.update((data) => ({ ...data, views: Number(data!['views']) + 1 }))
  return c.text(`views ${session.data!['views']}`)
})
listenWithFetch(app.fetch)
