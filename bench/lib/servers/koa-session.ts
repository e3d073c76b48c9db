import Koa from 'koa'
import { createSession } from 'koa-session'
import { sampleData } from '../sample-data.ts'
import { listen, paths, SECRET, TTL_SECONDS } from './listening.ts'
import { memjsStore } from './memjs-store.ts'

const app = new Koa()
app.keys = [SECRET]
const { get, set, delete: destroy } = memjsStore
app.use(createSession({ maxAge: TTL_SECONDS * 1000, store: { get, set, destroy } }, app))
app.use((ctx) => {
  switch (ctx.path) {
    case paths.untouched:
      ctx.body = 'no session'
      return
    case paths.signIn:
      Object.assign(ctx.session!, sampleData())
      ctx.body = 'signed in'
      return
    case paths.read:
      ctx.body = `user ${ctx.session!.userId}`
      return
    case paths.write:
      ctx.body = `views ${++ctx.session!.views}`
  }
})
listen(app)
