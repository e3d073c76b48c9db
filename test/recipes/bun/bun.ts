import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

const manager = createSessionManager<{ views: number }>()

export default {
  port: Number(process.env['PORT'] ?? 3000),
  routes: {
    '/': withSession(manager, async (_request, session) => {
      return new Response(`view ${await session.update('views', (n = 0) => n + 1)}`)
    }),
    '/login': {
      POST: withSession(manager, (_request, session) => {
        session.signIn('u1')
        return goHome()
      }),
    },
    '/logout': {
      POST: withSession(manager, (_request, session) => {
        session.destroy()
        return goHome()
      }),
    },
  },
  fetch: () => new Response('not found', { status: 404 }),
}

function goHome() {
  return new Response(null, { status: 302, headers: { Location: '/' } })
}
