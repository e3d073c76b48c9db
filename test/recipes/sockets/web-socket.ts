import type { Server } from 'node:http'
import type { SessionManager } from 'holdfast'
import { WebSocketServer, type WebSocket } from 'ws'

type Data = { messages: number }

/** There is no response to carry a cookie: what would need one is refused. */
const WITHOUT_RESPONSE = { canSetHeaders: () => false }

export function acceptSockets(server: Server, manager: SessionManager<Data>, origin: string) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 65_536 })
  server.on('upgrade', async (request, socket, head) => {
    socket.on('error', () => {})
    const refuse = (status: string) => void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
    const { cookie } = request.headers
    try {
      if (request.headers.origin !== origin) return refuse('403 Forbidden')
      const userId = await manager.open(cookie).userId()
      if (userId === undefined) return refuse('401 Unauthorized')
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        // Messages take turns, so that nobody has many loads at once.
        let turn = Promise.resolve()
        let waiting = 0
        webSocket.on('error', () => {})
        webSocket.on('message', () => {
          if (waiting === 100) return webSocket.close(1008) // a flood
          waiting++
          turn = turn
            .then(() => receive(webSocket, manager, cookie))
            .catch(() => webSocket.close(1011))
            .finally(() => waiting--)
        })
      })
    } catch {
      return refuse('503 Service Unavailable')
    }
  })
  return sockets
}

/** A session of its own for every message: it notices a sign-out, and what it writes is saved. */
async function receive(webSocket: WebSocket, manager: SessionManager<Data>, cookie: string | undefined) {
  const session = manager.open(cookie, WITHOUT_RESPONSE)
  if ((await session.userId()) === undefined) return webSocket.close(4401)
  const count = await session.update('messages', (n = 0) => n + 1)
  await session.save()
  webSocket.send(`message ${count}`)
}
