import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import fastify from 'fastify'
import { sampleData, type Data } from '../sample-data.ts'
import { paths, SECRET, TTL_SECONDS } from './listening.ts'
import { listenWithFastify } from './listening-fastify.ts'
import { memjsStore } from './memjs-store.ts'

declare module 'fastify' {
  interface Session extends Data {}
}

const app = fastify()
await app.register(fastifyCookie)
await app.register(fastifySession, {
  store: {
    get: (id, done) => void memjsStore.get(id).then((session) => done(null, session), done),
    set: (id, session, done) => void memjsStore.set(id, session).then(() => done(), done),
    destroy: (id, done) => void memjsStore.delete(id).then(() => done(), done),
  },
  secret: SECRET,
  cookie: { secure: false, maxAge: TTL_SECONDS * 1000 },
  saveUninitialized: false,
  // As by default every request writes its session; the others do not.
  rolling: false,
})
app.get(paths.untouched, () => 'no session')
app.get(paths.signIn, (request) => {
  Object.assign(request.session, sampleData())
  return 'signed in'
})
app.get(paths.read, (request) => `user ${request.session.userId}`)
app.get(paths.write, (request) => `views ${++request.session.views}`)
await listenWithFastify(app)
