import { Hono } from 'hono'
import { listenWithFetch, paths } from './listening.ts'

/** What a middleware costs that does nothing. */
const app = new Hono().use(async (_c, next) => {
  await next()
})
for (const path of Object.values(paths)) app.get(path, (c) => c.text('no session'))
listenWithFetch(app.fetch)
