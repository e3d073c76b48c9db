import { withSession } from 'holdfast/fetch'
import { sampleData, type Data } from '../sample-data.ts'
import { holdfastOptions } from './holdfast-options.ts'
import { listenWithFetch, paths } from './listening.ts'

const handler = withSession<Data>(holdfastOptions, async (request, session) => {
  switch (new URL(request.url).pathname) {
    case paths.signIn:
      for (const [key, value] of Object.entries(sampleData())) session.set(key as keyof Data, value)
      return new Response('signed in')
    case paths.read:
      return new Response(`user ${await session.get('userId')}`)
    case paths.write:
      return new Response(`views ${await session.update('views', (n = 0) => n + 1)}`)
    default:
      return new Response('no session')
  }
})
listenWithFetch((request) => handler(request))
