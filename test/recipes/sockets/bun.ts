import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { messages: number }
type Visitor = { cookie: string | null; turn: Promise<unknown>; waiting: number }

/** There is no response to carry a cookie: what would need one is refused. */
const WITHOUT_RESPONSE = { canSetHeaders: () => false }

const manager = createSessionManager<Data>()
const origin = process.env.ORIGIN ?? 'http://localhost:3000'

Bun.serve({
  port: Number(process.env.PORT ?? 3000),
  routes: {
    '/login': {
      POST: withSession(manager, (_request, session) => {
        session.signIn('u1')
        return new Response()
      }),
    },
    '/logout': {
      POST: withSession(manager, (_request, session) => {
        session.destroy()
        return new Response()
      }),
    },
    '/socket': withSession(manager, async (request, session, server: Bun.Server<Visitor>) => {
      if (request.headers.get('Origin') !== origin) return new Response(null, { status: 403 })
      if ((await session.userId()) === undefined) return new Response(null, { status: 401 })
      const data = { cookie: request.headers.get('Cookie'), turn: Promise.resolve(), waiting: 0 }
      return server.upgrade(request, { data }) ? undefined : new Response(null, { status: 426 })
    }),
  },
  websocket: {
    data: {} as Visitor, // Bun's way to say its type
    maxPayloadLength: 65_536,
    // Messages take turns, so that nobody has many loads at once.
    message(socket) {
      const { data } = socket
      if (data.waiting === 100) return socket.close(1008) // a flood
      data.waiting++
      data.turn = data.turn
        .then(() => receive(socket))
        .catch(() => socket.close(1011))
        .finally(() => data.waiting--)
    },
  },
})

/** A session of its own for every message: it notices a sign-out, and what it writes is saved. */
async function receive(socket: Bun.ServerWebSocket<Visitor>) {
  const session = manager.open(socket.data.cookie, WITHOUT_RESPONSE)
  if ((await session.userId()) === undefined) return socket.close(4401)
  const count = await session.update('messages', (n = 0) => n + 1)
  await session.save()
  socket.send(`message ${count}`)
}
