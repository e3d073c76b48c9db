import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { createSessionManager } from 'holdfast'
import { session, type SessionVariables } from 'holdfast/hono'
import { MemcachedStore } from 'holdfast/memcached'
import { Hono, type MiddlewareHandler } from 'hono'
import { csrf } from 'hono/csrf'

type Data = { count: number }
type Env = { Variables: SessionVariables<Data> }

const { PORT = '3000', ORIGIN = `http://localhost:${PORT}`, SESSION_STORE, SESSION_SECRET } = process.env

// Without SESSION_STORE, sessions live in this process: for development.
const manager = createSessionManager<Data>(
  SESSION_STORE ? { store: new MemcachedStore(SESSION_STORE), secret: SESSION_SECRET } : {},
)

const app = new Hono<Env>()
app.use(csrf({ origin: ORIGIN })) // before the session: what is refused costs nothing
app.use(session(manager))

// Touches no session, so it is there while the store is down. What needs one is then a 503, by itself.
app.get('/', (c) => c.html(SIGN_IN))
app.post('/sign-in', async (c) => {
  const { name, password } = await c.req.parseBody()
  // Yours: a table of users, with hashes of their passwords.
  if (name !== 'ada' || password !== 'lovelace') return c.text('wrong name or password', 401)
  c.var.session.signIn(name)
  return c.redirect('/counter')
})
app.post('/sign-out', (c) => {
  c.var.session.destroy()
  return c.redirect('/')
})

/** Lets on who is signed in. A promise is no string: were the `await` forgotten, nobody would get in. */
const signedIn: MiddlewareHandler<Env> = async (c, next) => {
  const userId: unknown = await c.var.session.userId()
  if (typeof userId !== 'string') return c.redirect('/')
  return next()
}

app.get('/counter', signedIn, async (c) => {
  const count = (await c.var.session.get('count')) ?? 0
  return c.html(`<!doctype html><title>Counter</title>You counted to ${count}.${BUTTONS}`)
})
app.post('/counter', signedIn, async (c) => {
  await c.var.session.update('count', (count = 0) => count + 1) // of clicks at the same time, each counts
  return c.redirect('/counter')
})

const SIGN_IN = `<!doctype html><title>Sign in</title><form method="post" action="/sign-in">
  <label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
  <button>Sign in</button></form>`
const BUTTONS = `
  <form method="post" action="/counter"><button>Count</button></form>
  <form method="post" action="/sign-out"><button>Sign out</button></form>`

const server = createServer(getRequestListener(app.fetch))
server.listen(Number(PORT), () => console.log(`http://localhost:${PORT}`))

function shutDown() {
  setInterval(() => server.closeIdleConnections(), 100) // browsers keep theirs open
  setTimeout(() => server.closeAllConnections(), 10_000) // whoever is slower gets no answer
  server.close(async () => {
    await manager.close() // the last answer has left, and its session is saved
    process.exit()
  })
}
process.once('SIGTERM', shutDown).once('SIGINT', shutDown)
