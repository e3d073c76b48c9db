import express, { type RequestHandler } from 'express'
import { createSessionManager, type Session } from 'holdfast'
import { session } from 'holdfast/node'
import { RedisStore } from 'holdfast/redis'
import { Redis } from 'ioredis'
import { mayBeForged } from './may-be-forged.ts'

type Data = { count: number }
declare global {
  namespace Express {
    interface Request {
      session: Session<Data>
    }
  }
}

const { PORT = '3000', ORIGIN = `http://localhost:${PORT}`, SESSION_STORE, SESSION_SECRET } = process.env

// Without SESSION_STORE, sessions live in this process: for development.
const client = SESSION_STORE ? new Redis(SESSION_STORE, { socketTimeout: 1000 }) : undefined
client?.on('error', () => {}) // the manager tells of it; without a listener each failure is printed
const manager = createSessionManager<Data>(
  client ? { store: new RedisStore(client), secret: SESSION_SECRET } : {},
)

const app = express()
app.use((request, response, next) => {
  if (mayBeForged(request, ORIGIN)) response.sendStatus(403) // before the session: what is refused costs nothing
  else next()
})
app.use(session(manager))

// Touches no session, so it is there while the store is down. What needs one is then a 503, by itself.
app.get('/', (_request, response) => void response.send(SIGN_IN))
app.post('/sign-in', express.urlencoded(), (request, response) => {
  const { name, password } = request.body ?? {}
  // Yours: a table of users, with hashes of their passwords.
  if (name !== 'ada' || password !== 'lovelace') return void response.sendStatus(401)
  request.session.signIn(name)
  response.redirect('/counter')
})
app.post('/sign-out', (request, response) => {
  request.session.destroy()
  response.redirect('/')
})

/** Lets on who is signed in. A promise is no string: were the `await` forgotten, nobody would get in. */
const signedIn: RequestHandler = async (request, response, next) => {
  const userId: unknown = await request.session.userId()
  if (typeof userId !== 'string') response.redirect('/')
  else next()
}

app.get('/counter', signedIn, async (request, response) => {
  const count = (await request.session.get('count')) ?? 0
  response.send(`<!doctype html><title>Counter</title>You counted to ${count}.${BUTTONS}`)
})
app.post('/counter', signedIn, async (request, response) => {
  await request.session.update('count', (count = 0) => count + 1) // of clicks at the same time, each counts
  response.redirect('/counter')
})

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
    process.exit() // and with it the client's connection
  })
}
process.once('SIGTERM', shutDown).once('SIGINT', shutDown)
