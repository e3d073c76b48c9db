import { Hono } from 'hono'
import { listenWithFetch, paths } from './listening.ts'

const app = new Hono()
for (const path of Object.values(paths)) app.get(path, (c) => c.text('no session'))
listenWithFetch(app.fetch)
