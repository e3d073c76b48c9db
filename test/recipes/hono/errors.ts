import { Hono } from 'hono'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'

export function createShop(manager: SessionManager<{ views: number }>) {
  const app = new Hono().use(session(manager)).get('/', async (c) => {
    return c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`)
  })
  app.onError((error, c) => {
    if ('getResponse' in error) return error.getResponse() // the 503 of a store that fails, and each HTTPException
    console.error(error)
    return c.html('<h1>Something went wrong</h1>', 500)
  })
  return app
}
