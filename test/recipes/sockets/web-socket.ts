import type { Server } from 'node:http'
import type { SessionManager } from 'holdfast'
import { WebSocketServer, type WebSocket } from 'ws'

type Data = { messages: number }

export function acceptSockets(server: Server, manager: SessionManager<Data>, origin: string) {
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', async (request, socket, head) => {
    socket.on('error', () => {})
    const refuse = (status: string) => void socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
    const { cookie } = request.headers
    try {
      if (request.headers.origin !== origin) return refuse('403 Forbidden')
      const userId = await manager.open(cookie).userId()
      if (userId === undefined) return refuse('401 Unauthorized')
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => {})
        webSocket.on('message', () => receive(webSocket, manager, cookie).catch(() => webSocket.close(1011)))
      })
    } catch {
      return refuse('503 Service Unavailable')
    }
  })
}

/** A session of its own for every message: it notices a sign-out, and what it writes is saved. */
async function receive(webSocket: WebSocket, manager: SessionManager<Data>, cookie: string | undefined) {
  const session = manager.open(cookie)
  if (!(await session.exists())) return webSocket.close(4401)
  const count = await session.update('messages', (n = 0) => n + 1)
  await session.save()
  webSocket.send(`message ${count}`)
}
