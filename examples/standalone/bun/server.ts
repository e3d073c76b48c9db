import { createSessionManager } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { MemcachedStore } from 'holdfast/memcached'
import { mayBeForged } from './may-be-forged.ts'

type Data = { count: number }

const { PORT = '3000', ORIGIN = `http://localhost:${PORT}`, SESSION_STORE, SESSION_SECRET } = process.env

// Without SESSION_STORE, sessions live in this process: for development.
const manager = createSessionManager<Data>(
  SESSION_STORE ? { store: new MemcachedStore(SESSION_STORE), secret: SESSION_SECRET } : {},
)

const SIGN_IN = `<!doctype html><title>Sign in</title><form method="post" action="/sign-in">
  <label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
  <button>Sign in</button></form>`
const BUTTONS = `
  <form method="post" action="/counter"><button>Count</button></form>
  <form method="post" action="/sign-out"><button>Sign out</button></form>`

const answer = withSession(manager, async (request, session) => {
  const route = `${request.method} ${new URL(request.url).pathname}`
  switch (route) {
    case 'GET /':
      // Touches no session, so it is there while the store is down. What needs one is then a 503, by itself.
      return html(SIGN_IN)
    case 'POST /sign-in': {
      const fields = await request.formData()
      // Yours: a table of users, with hashes of their passwords.
      if (fields.get('name') !== 'ada' || fields.get('password') !== 'lovelace')
        return new Response('wrong name or password', { status: 401 })
      session.signIn('ada')
      return goTo('/counter')
    }
    case 'POST /sign-out':
      session.destroy()
      return goTo('/')
  }

  // From here on, for those who are signed in. A promise is no string: were the `await` forgotten, nobody would get in.
  const userId: unknown = await session.userId()
  if (typeof userId !== 'string') return goTo('/')
  switch (route) {
    case 'GET /counter': {
      const count = (await session.get('count')) ?? 0
      return html(`<!doctype html><title>Counter</title>You counted to ${count}.${BUTTONS}`)
    }
    case 'POST /counter':
      await session.update('count', (count = 0) => count + 1) // of clicks at the same time, each counts
      return goTo('/counter')
    default:
      return new Response('Not Found', { status: 404 })
  }
})

function html(body: string) {
  return new Response(body, { headers: { 'Content-Type': 'text/html; charset=utf-8' } })
}

function goTo(path: string) {
  return new Response(null, { status: 302, headers: { Location: path } })
}

const server = Bun.serve({
  port: Number(PORT),
  fetch(request) {
    // Before the session: what is refused costs nothing.
    if (mayBeForged(request, ORIGIN)) return new Response('Forbidden', { status: 403 })
    return answer(request)
  },
})
console.log(`http://localhost:${PORT}`)

async function shutDown() {
  await server.stop() // once the last answer has left, and its session is saved
  await manager.close()
  process.exit()
}
process.once('SIGTERM', shutDown).once('SIGINT', shutDown)
