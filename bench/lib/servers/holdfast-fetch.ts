import { withSession } from 'holdfast/fetch'
import type { Data } from '../sample-data.ts'
import { holdfastOptions, signIn, signInUser } from './holdfast-options.ts'
import { listenWithFetch, paths } from './listening.ts'

const handler = withSession<Data>(holdfastOptions, async (request, session) => {
  switch (new URL(request.url).pathname) {
    case paths.signIn:
      return new Response(signIn(session))
    case paths.signInUser:
      return new Response(signInUser(session))
    case paths.read:
      return new Response(`user ${await session.get('userId')}`)
    case paths.write:
      return new Response(`views ${await session.update('views', (n = 0) => n + 1)}`)
    default:
      return new Response('no session')
  }
})
listenWithFetch((request) => handler(request))
