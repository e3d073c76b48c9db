import { createSessionManager, type Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Visitor = { cookie: string | null; heartbeat?: ReturnType<typeof setInterval> }

const WITHOUT_RENEWAL = { renew: () => false }
const HEARTBEAT_MS = Number(process.env.HEARTBEAT_MS ?? 15_000)

const manager = createSessionManager()
const port = Number(process.env.PORT ?? 3000)
const origin = process.env.ORIGIN ?? `http://localhost:${port}`

Bun.serve({
  port,
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
    '/events': withSession(manager, openStream, WITHOUT_RENEWAL),
    '/socket': withSession(manager, async (request, session, server: Bun.Server<Visitor>) => {
      if (request.headers.get('Origin') !== origin) return new Response(null, { status: 403 })
      if ((await session.userId()) === undefined) return new Response(null, { status: 401 })
      const data = { cookie: request.headers.get('Cookie') }
      return server.upgrade(request, { data }) ? undefined : new Response(null, { status: 426 })
    }),
  },
  websocket: {
    data: {} as Visitor, // Bun's way to say its type
    open(socket) {
      socket.data.heartbeat = setInterval(() => endIfSignedOut(socket), HEARTBEAT_MS)
    },
    close: (socket) => clearInterval(socket.data.heartbeat),
    message: (socket) => endIfSignedOut(socket), // and then what the message is for
  },
})

async function openStream(request: Request, session: Session, server: Bun.Server<Visitor>) {
  if ((await session.userId()) === undefined) return new Response(null, { status: 401 })
  server.timeout(request, 0) // after ten seconds without a byte Bun would end it
  const cookie = request.headers.get('Cookie')
  const events = new ReadableStream<string>({
    async pull(controller) {
      if (await isSignedIn(cookie)) {
        controller.enqueue('event: heartbeat\ndata:\n\n')
        await Bun.sleep(HEARTBEAT_MS)
      } else {
        controller.enqueue('event: signed-out\ndata:\n\n')
        controller.close()
      }
    },
  })
  const headers = { 'Content-Type': 'text/event-stream', 'X-Accel-Buffering': 'no' }
  return new Response(events.pipeThrough(new TextEncoderStream()), { headers })
}

async function endIfSignedOut(socket: Bun.ServerWebSocket<Visitor>) {
  try {
    if (!(await isSignedIn(socket.data.cookie))) socket.close(4401)
  } catch {
    socket.close(1011) // the store fails: the page opens another
  }
}

/** A session of its own each time: it notices a sign-out, and renews nothing. */
async function isSignedIn(cookie: string | null) {
  return (await manager.open(cookie, WITHOUT_RENEWAL).userId()) !== undefined
}
