import { Elysia } from 'elysia'
import { createSessionManager, type Session, type SessionManager } from 'holdfast'
import { SessionConflictError, StoreUnavailableError } from 'holdfast'
import { withSession } from 'holdfast/fetch'

type Data = { views: number }

export function sessions(manager: SessionManager<Data>) {
  const sessionOf = new WeakMap<Request, Session<Data>>()
  const serve = withSession(manager, async (request, session, answer: (request: Request) => unknown) => {
    sessionOf.set(request, session)
    return (await answer(request)) as Response
  })
  return new Elysia({ name: 'sessions' })
    .wrap((answer, request) => () => serve(request, answer))
    .derive({ as: 'global' }, ({ request }) => ({ session: sessionOf.get(request)! }))
    .onError({ as: 'global' }, ({ error }) => {
      const isPassing = error instanceof StoreUnavailableError || error instanceof SessionConflictError
      return isPassing ? error.getResponse() : undefined
    })
}

export const app = new Elysia()
  .use(sessions(createSessionManager<Data>()))
  .get('/', async ({ session }) => `view ${await session.update('views', (n = 0) => n + 1)}`)
  .post('/login', ({ session }) => {
    session.signIn('u1')
    return goHome()
  })
  .post('/logout', ({ session }) => {
    session.destroy()
    return goHome()
  })

function goHome() {
  return new Response(null, { status: 302, headers: { Location: '/' } })
}
