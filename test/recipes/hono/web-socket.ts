import { serve, upgradeWebSocket } from '@hono/node-server'
import { Hono } from 'hono'
import type { WSContext } from 'hono/ws'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'
import { WebSocketServer } from 'ws'

type Data = { messages: number }

export function startChat(manager: SessionManager<Data>, origin: string, port: number) {
  const app = new Hono().use(session(manager))
  app.get(
    '/socket',
    async (c, next) => {
      if (c.req.header('Origin') !== origin) return c.text('Forbidden', 403)
      if ((await c.var.session.userId()) === undefined) return c.text('Unauthorized', 401)
      return next()
    },
    upgradeWebSocket((c) => {
      const cookie = c.req.header('Cookie')
      return {
        onMessage(_message, socket) {
          receive(socket, manager, cookie).catch(() => socket.close(1011))
        },
      }
    }),
  )
  return serve({ fetch: app.fetch, port, websocket: { server: new WebSocketServer({ noServer: true }) } })
}

/** A session of its own for every message: it notices a sign-out, and what it writes is saved. */
async function receive(socket: WSContext, manager: SessionManager<Data>, cookie: string | undefined) {
  const session = manager.open(cookie)
  if ((await session.userId()) === undefined) return socket.close(4401)
  const count = await session.update('messages', (n = 0) => n + 1)
  await manager.commit(session, () => ({ status: 200, headers: new Headers() }))
  socket.send(`message ${count}`)
}
