import { Hono } from 'hono'
import { session } from 'holdfast/hono'
import type { Data } from '../sample-data.ts'
import { holdfastOptions, signIn, signInUser } from './holdfast-options.ts'
import { listenWithFetch, paths } from './listening.ts'

const app = new Hono().use(session<Data>(holdfastOptions))
app.get(paths.untouched, (c) => c.text('no session'))
app.get(paths.signIn, (c) => c.text(signIn(c.var.session)))
app.get(paths.signInUser, (c) => c.text(signInUser(c.var.session)))
app.get(paths.read, async (c) => c.text(`user ${await c.var.session.get('userId')}`))
app.get(paths.write, async (c) => c.text(`views ${await c.var.session.update('views', (n = 0) => n + 1)}`))
listenWithFetch(app.fetch)
