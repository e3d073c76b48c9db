import connectMemjs from 'connect-memjs'
import express from 'express'
import session from 'express-session'
import { sampleData, type Data } from '../sample-data.ts'
import { listen, memcached, paths, redisClient, SECRET, TTL_SECONDS } from './listening.ts'

declare module 'express-session' {
  interface SessionData extends Data {}
}

const MemcachedStore = connectMemjs(session)
const client = await redisClient()
// A deadline that a busy machine keeps, in seconds.
const store = client
  ? new (await import('connect-redis')).RedisStore({ client })
  : new MemcachedStore({ servers: [memcached], timeout: 5 })

const app = express().use(
  session({
    store,
    secret: SECRET,
    cookie: { maxAge: TTL_SECONDS * 1000 },
    resave: false,
    saveUninitialized: false,
  }),
)
app.get(paths.untouched, (_request, response) => void response.send('no session'))
app.get(paths.signIn, (request, response) => {
  Object.assign(request.session, sampleData())
  response.send('signed in')
})
app.get(paths.read, (request, response) => void response.send(`user ${request.session.userId}`))
app.get(paths.write, (request, response) => void response.send(`views ${++request.session.views!}`))
listen(app)
