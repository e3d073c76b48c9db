import { bodyParser } from '@koa/bodyparser'
import Router, { type RouterMiddleware } from '@koa/router'
import { createSessionManager } from 'holdfast'
import { session, type SessionContext } from 'holdfast/koa'
import { MemcachedStore } from 'holdfast/memcached'
import Koa from 'koa'
import { mayBeForged } from './may-be-forged.ts'

type Data = { count: number }
type Context = SessionContext<Data>

const { PORT = '3000', ORIGIN = `http://localhost:${PORT}`, SESSION_STORE, SESSION_SECRET } = process.env

// Without SESSION_STORE, sessions live in this process: for development.
const manager = createSessionManager<Data>(
  SESSION_STORE ? { store: new MemcachedStore(SESSION_STORE), secret: SESSION_SECRET } : {},
)

const app = new Koa<object, Context>()
const router = new Router<object, Context>()

// Touches no session, so it is there while the store is down. What needs one is then a 503, by itself.
router.get('/', (ctx) => {
  ctx.body = SIGN_IN
})
router.post('/sign-in', bodyParser(), (ctx) => {
  const { name, password } = (ctx.request.body ?? {}) as Record<string, unknown>
  // Yours: a table of users, with hashes of their passwords.
  if (name !== 'ada' || password !== 'lovelace') return ctx.throw(401, 'wrong name or password')
  ctx.session.signIn(name)
  ctx.redirect('/counter')
})
router.post('/sign-out', (ctx) => {
  ctx.session.destroy()
  ctx.redirect('/')
})

/** Lets on who is signed in. A promise is no string: were the `await` forgotten, nobody would get in. */
const signedIn: RouterMiddleware<object, Context> = async (ctx, next) => {
  const userId: unknown = await ctx.session.userId()
  if (typeof userId !== 'string') return ctx.redirect('/')
  return next()
}

router.get('/counter', signedIn, async (ctx) => {
  const count = (await ctx.session.get('count')) ?? 0
  ctx.body = `<!doctype html><title>Counter</title>You counted to ${count}.${BUTTONS}`
})
router.post('/counter', signedIn, async (ctx) => {
  await ctx.session.update('count', (count = 0) => count + 1) // of clicks at the same time, each counts
  ctx.redirect('/counter')
})

app.use((ctx, next) => {
  if (mayBeForged(ctx, ORIGIN)) ctx.throw(403) // before the session: what is refused costs nothing
  return next()
})
app.use(session(manager))
app.use(router.routes())

const SIGN_IN = `<!doctype html><title>Sign in</title><form method="post" action="/sign-in">
  <label>Name <input name="name"></label> <label>Password <input name="password" type="password"></label>
  <button>Sign in</button></form>`
const BUTTONS = `
  <form method="post" action="/counter"><button>Count</button></form>
  <form method="post" action="/sign-out"><button>Sign out</button></form>`

const server = app.listen(Number(PORT), () => console.log(`http://localhost:${PORT}`))

function shutDown() {
  setInterval(() => server.closeIdleConnections(), 100) // browsers keep theirs open
  setTimeout(() => server.closeAllConnections(), 10_000) // whoever is slower gets no answer
  server.close(async () => {
    await manager.close() // the last answer has left, and its session is saved
    process.exit()
  })
}
process.once('SIGTERM', shutDown).once('SIGINT', shutDown)
