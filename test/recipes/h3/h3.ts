import { H3, type H3Event } from 'h3'
import { fromNodeHandler } from 'h3/node'
import { session, type SessionRequest } from 'holdfast/node'

type Data = { views: number }

export const app = new H3().use(fromNodeHandler(session<Data>()))

app.get('/', async (event) => `view ${await sessionOf(event).update('views', (n = 0) => n + 1)}`)
app.post('/login', (event) => {
  sessionOf(event).signIn('u1')
  return goHome()
})
app.post('/logout', (event) => {
  sessionOf(event).destroy()
  return goHome()
})

function sessionOf(event: H3Event) {
  return (event.runtime!.node!.req as unknown as SessionRequest<Data>).session
}

function goHome() {
  return new Response(null, { status: 302, headers: { Location: '/' } })
}
