import type { SessionManager } from 'holdfast'
import { session, type SessionContext } from 'holdfast/koa'
import Koa from 'koa'

type Data = { attempts: number }

export function createShop(manager: SessionManager<Data>) {
  const app = new Koa<object, SessionContext<Data>>()
  app.use(session(manager))
  app.use(async (ctx, next) => {
    try {
      await next()
    } catch (error) {
      if (!(error instanceof WrongPassword)) throw error
      ctx.status = 401
      ctx.body = 'wrong password'
    }
  })
  app.use(async (ctx, next) => {
    if (ctx.path !== '/login' || ctx.method !== 'POST') return next()
    await ctx.session.update('attempts', (n = 0) => n + 1)
    throw new WrongPassword()
  })
  return app
}

class WrongPassword extends Error {}
