import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'

const manager = createSessionManager<{ views: number }>()

Bun.serve({
  port: Number(process.env.PORT ?? 3000),
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
    '/hello/:name': withSession(manager, async ({ params }, session) => {
      return new Response(`hello, ${params.name}, after ${(await session.get('views')) ?? 0} views`)
    }),
    '/health': new Response('well'),
  },
})

function goHome() {
  return new Response(null, { status: 302, headers: { Location: '/' } })
}
