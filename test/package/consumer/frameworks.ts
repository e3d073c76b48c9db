import { Hono } from 'hono'
import Koa from 'koa'
import { createSessionManager, type Session } from 'holdfast'
import { session as honoSession } from 'holdfast/hono'
import { session as koaSession } from 'holdfast/koa'

type Data = { userId: string; nickname?: string }

const manager = createSessionManager<Data>()

export const hono = new Hono()
  .use(honoSession(manager, { renew: ({ path }) => path !== '/unread' }))
  .get('/', async (c) => {
    const session: Session<Data> = c.var.session
    // @ts-expect-error no such key
    await c.var.session.get('user')
    return c.text((await session.get('nickname')) ?? 'nobody')
  })
export const koa = new Koa()
  .use(koaSession(manager, { renew: ({ path }) => path !== '/unread' }))
  .use(async (ctx) => {
    const session: Session<Data> = ctx.session
    // @ts-expect-error no such key
    await ctx.session.get('user')
    ctx.body = await session.get('userId')
  })
// @ts-expect-error a Map
honoSession<{ seen: Map<string, number> }>()
