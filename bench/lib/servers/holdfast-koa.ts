import { session, type SessionContext } from 'holdfast/koa'
import Koa from 'koa'
import type { Data } from '../sample-data.ts'
import { holdfastOptions, signIn, signInUser } from './holdfast-options.ts'
import { listen, paths } from './listening.ts'

const app = new Koa<object, SessionContext<Data>>().use(session<Data>(holdfastOptions))
app.use(async (ctx) => {
  switch (ctx.path) {
    case paths.untouched:
      ctx.body = 'no session'
      return
    case paths.signIn:
      ctx.body = signIn(ctx.session)
      return
    case paths.signInUser:
      ctx.body = signInUser(ctx.session)
      return
    case paths.read:
      ctx.body = `user ${await ctx.session.get('userId')}`
      return
    case paths.write:
      ctx.body = `views ${await ctx.session.update('views', (n = 0) => n + 1)}`
  }
})
listen(app)
