import { withSession } from './adapters/fetch.js'
import { createSessionManager, MemoryStore } from './core/index.js'
import { sessionStoreContract } from './testing/index.js'

let now = Date.now()
const clauses = sessionStoreContract(() => new MemoryStore({ now: () => now }), {
  advance: (seconds) => (now += seconds * 1000),
})

const manager = createSessionManager()

const routes = {
  '/globals': () => Response.json(['process', 'Buffer', 'global'].filter((name) => name in globalThis)),
  async '/clause'(_session, name) {
    try {
      await clauses.find((clause) => clause.name === name).run()
      return new Response('kept')
    } catch (error) {
      return new Response(String(error), { status: 500 })
    }
  },
  async '/who'(session) {
    return Response.json((await session.userId()) ?? 'nobody')
  },
  async '/count'(session) {
    await session.exists()
    // So that all have loaded before the first commits.
    await new Promise((resolve) => setTimeout(resolve, 200))
    return Response.json(await session.update('count', (n = 0) => n + 1))
  },
  '/sign-in'(session, userId) {
    session.signIn(userId)
    return Response.redirect('http://localhost/who', 303)
  },
  '/sign-out'(session) {
    session.destroy()
    return new Response(null, { status: 204 })
  },
  async '/devices'(session, userId) {
    const list = await manager.listSessions(userId, { current: session })
    return Response.json(list.map(({ isCurrent }) => isCurrent))
  },
  async '/sign-out-everywhere'(_session, userId) {
    await manager.revokeAll(userId)
    return new Response(null, { status: 204 })
  },
  '/too-late'(session) {
    const { readable, writable } = new TransformStream()
    const writer = writable.getWriter()
    // Not awaited: it runs while the body leaves.
    void (async () => {
      let caught = 'nothing'
      try {
        await new Promise((resolve) => setTimeout(resolve))
        session.set('late', true)
      } catch ({ code }) {
        caught = code
      }
      await writer.write(new TextEncoder().encode(caught))
      await writer.close()
    })()
    return new Response(readable)
  },
}

export default {
  fetch: withSession(manager, (request, session) => {
    const { pathname, searchParams } = new URL(request.url)
    return routes[pathname](session, searchParams.get('of'))
  }),
}
