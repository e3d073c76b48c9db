import type { Server as HttpServer } from 'node:http'
import type { SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import { Server } from 'socket.io'

type Data = { messages: number }

/** There is no response to carry a cookie: what would need one is refused. */
const WITHOUT_RESPONSE = { canSetHeaders: () => false }

export function startChat(server: HttpServer, manager: SessionManager<Data>, origin: string) {
  const io = new Server(server, {
    // What a page of one's own asks by GET comes without an Origin; whatever another site's page asks has one.
    allowRequest: ({ headers }, answer) => answer(null, [undefined, origin].includes(headers.origin)),
  })
  io.engine.use(session(manager))
  io.use(async (socket, next) => {
    const { session } = socket.request as typeof socket.request & SessionRequest<Data>
    try {
      next((await session.userId()) === undefined ? new Error('signed out') : undefined)
    } catch {
      next(new Error('try again'))
    }
  })
  io.on('connection', (socket) => {
    const { cookie } = socket.request.headers
    // Messages take turns, so that nobody has many loads at once.
    let turn = Promise.resolve()
    let waiting = 0
    socket.on('message', (answer: (count: number) => void) => {
      if (waiting === 100) return void socket.disconnect(true) // a flood
      waiting++
      turn = turn
        .then(() => count(manager, cookie))
        .then(answer, () => void socket.disconnect(true))
        .finally(() => waiting--)
    })
  })
  return io
}

/** A session of its own for every message, as for a WebSocket. */
async function count(manager: SessionManager<Data>, cookie: string | undefined): Promise<number> {
  const session = manager.open(cookie, WITHOUT_RESPONSE)
  if ((await session.userId()) === undefined) throw new Error('signed out')
  const messages = await session.update('messages', (n = 0) => n + 1)
  await session.save()
  return messages
}
