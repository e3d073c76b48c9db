import { createSessionManager, MemoryStore, type SessionStore } from '../../src/core/index.ts'
import { withSession } from '../../src/adapters/fetch.ts'

/** The little of Bun that this program uses. */
interface Server {
  port: number
  upgrade(request: Request): boolean
}
declare const Bun: {
  serve(options: {
    port: number
    fetch: (request: Request, server: Server) => Promise<Response | undefined>
    websocket: { open(socket: { send(text: string): void }): void; message(): void }
  }): Server
}

const memory = new MemoryStore()
let isDown = false
/** Once it is down it can only be read. */
const store: SessionStore = {
  get: memory.get.bind(memory),
  add: memory.add.bind(memory),
  replace: (...given) => (isDown ? Promise.reject(new Error('down')) : memory.replace(...given)),
  set: memory.set.bind(memory),
  delete: memory.delete.bind(memory),
}
const manager = createSessionManager<{ sockets: number }>({
  store,
  onEvent: ({ type }) => console.log(type),
  secret: crypto.getRandomValues(new Uint8Array(32)),
})
const serve = withSession(manager, async (request, session, server: Server) => {
  const { pathname } = new URL(request.url)
  isDown ||= pathname === '/socket-down'
  if (!pathname.startsWith('/socket')) return new Response(String(await session.get('sockets')))
  await session.update('sockets', (n = 0) => n + 1)
  return server.upgrade(request) ? undefined : new Response(null, { status: 426 })
})
const { port } = Bun.serve({
  port: 0,
  fetch: serve,
  websocket: { open: (socket) => socket.send('hello'), message() {} },
})
console.log(`http://localhost:${port}`)
