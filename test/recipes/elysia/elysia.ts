import { Elysia } from 'elysia'
import type { Session } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { views: number }

const sessions = new WeakMap<Request, Session<Data>>()

const app = new Elysia()
  .derive(({ request }) => ({ session: sessions.get(request)! }))
  .onError(({ error }) => ('getResponse' in error ? (error.getResponse as () => Response)() : undefined))
  .get('/', async ({ session }) => `view ${await session.update('views', (n = 0) => n + 1)}`)
  .post('/login', ({ session, redirect }) => {
    session.signIn('u1')
    return redirect('/')
  })
  .post('/logout', ({ session, redirect }) => {
    session.destroy()
    return redirect('/')
  })

export default {
  port: Number(process.env['PORT'] ?? 3000),
  fetch: withSession<Data>({}, (request, session) => {
    sessions.set(request, session)
    return app.fetch(request)
  }),
}
