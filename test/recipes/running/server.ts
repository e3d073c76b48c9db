import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { app } from './app.ts'
import { manager } from './manager.ts'

const server = createServer(getRequestListener(app.fetch)) // Koa: app.callback(), Express: app
server.listen(Number(process.env.PORT ?? 3000), () => console.log('listening on', server.address()))

function shutDown() {
  setInterval(() => server.closeIdleConnections(), 100) // browsers keep theirs open
  setTimeout(() => server.closeAllConnections(), 10_000) // whoever is slower gets no answer
  setTimeout(() => manager.close().finally(() => process.exit()), 11_000) // a WebSocket keeps close waiting for ever
  server.close(async () => {
    await manager.close() // the last answer has left, and its session is saved
    process.exit()
  })
}
process.once('SIGTERM', shutDown).once('SIGINT', shutDown)
