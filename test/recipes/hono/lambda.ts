import { Hono } from 'hono'
import { handle } from 'hono/aws-lambda'
import { createSessionManager } from 'holdfast'
import { session } from 'holdfast/hono'
import { MemcachedStore } from 'holdfast/memcached'

// Made once: invocations of one instance share its connections.
const manager = createSessionManager<{ views: number }>({
  store: new MemcachedStore(process.env.SESSION_STORE ?? 'memcached://127.0.0.1:11200'),
  secret: process.env.SESSION_SECRET,
})

const app = new Hono().use(session(manager)).get('/', async (c) => {
  return c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`)
})

export const handler = handle(app)
