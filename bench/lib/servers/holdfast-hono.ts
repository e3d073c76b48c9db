import { Hono } from 'hono'
import { session } from 'holdfast/hono'
import { sampleData, type Data } from '../sample-data.ts'
import { holdfastOptions } from './holdfast-options.ts'
import { listenWithFetch, paths } from './listening.ts'

const app = new Hono().use(session<Data>(holdfastOptions))
app.get(paths.untouched, (c) => c.text('no session'))
app.get(paths.signIn, (c) => {
  for (const [key, value] of Object.entries(sampleData())) c.var.session.set(key as keyof Data, value)
  return c.text('signed in')
})
app.get(paths.read, async (c) => c.text(`user ${await c.var.session.get('userId')}`))
app.get(paths.write, async (c) => c.text(`views ${await c.var.session.update('views', (n = 0) => n + 1)}`))
listenWithFetch(app.fetch)
