import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { messages: number }
type Visitor = { cookie: string | null }

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
      const data = { cookie: request.headers.get('Cookie') }
      return server.upgrade(request, { data }) ? undefined : new Response(null, { status: 426 })
    }),
  },
  websocket: {
    data: {} as Visitor, // Bun's way to say its type
    message: (socket) => receive(socket).catch(() => socket.close(1011)),
  },
})

/** A session of its own for every message: it notices a sign-out, and what it writes is saved. */
async function receive(socket: Bun.ServerWebSocket<Visitor>) {
  const session = manager.open(socket.data.cookie)
  if ((await session.userId()) === undefined) return socket.close(4401)
  const count = await session.update('messages', (n = 0) => n + 1)
  await session.save()
  socket.send(`message ${count}`)
}
