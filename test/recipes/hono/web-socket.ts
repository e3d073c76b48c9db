import { serve, upgradeWebSocket } from '@hono/node-server'
import { Hono } from 'hono'
import type { WSContext } from 'hono/ws'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/hono'
import { WebSocketServer } from 'ws'

type Data = { messages: number }

/** There is no response to carry a cookie: what would need one is refused. */
const WITHOUT_RESPONSE = { canSetHeaders: () => false }

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
      // Messages take turns, so that nobody has many loads at once.
      let turn = Promise.resolve()
      let waiting = 0
      return {
        onMessage(_message, socket) {
          if (waiting === 100) return socket.close(1008) // a flood
          waiting++
          turn = turn
            .then(() => receive(socket, manager, cookie))
            .catch(() => socket.close(1011))
            .finally(() => waiting--)
        },
      }
    }),
  )
  return serve({
    fetch: app.fetch,
    port,
    websocket: { server: new WebSocketServer({ noServer: true, maxPayload: 65_536 }) },
  })
}

/** A session of its own for every message: it notices a sign-out, and what it writes is saved. */
async function receive(socket: WSContext, manager: SessionManager<Data>, cookie: string | undefined) {
  const session = manager.open(cookie, WITHOUT_RESPONSE)
  if ((await session.userId()) === undefined) return socket.close(4401)
  const count = await session.update('messages', (n = 0) => n + 1)
  await session.save()
  socket.send(`message ${count}`)
}
