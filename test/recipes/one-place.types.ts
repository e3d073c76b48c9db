// Compiled by apart.test.ts, never run: a line that compiles where it should not fails through its @ts-expect-error.
import Router from '@koa/router'
import { Hono } from 'hono'
import Koa from 'koa'
import { expectTypeOf } from 'vitest'
import { createSessionManager, type Session } from 'holdfast'
import { session as honoSession } from 'holdfast/hono'
import { session as koaSession } from 'holdfast/koa'
import { cart as honoCart } from './hono/one-place.ts'
import { cart as koaCart } from './koa/one-place.ts'

type Data = { cart: string[] }

const manager = createSessionManager<Data>()

new Hono()
  .use(honoSession(manager))
  .route('/cart', honoCart)
  .get('/', async (c) => {
    expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
    // @ts-expect-error no such key
    await c.var.session.get('views')
    return c.body(null)
  })
// The price: an app without sessions believes that it has one.
new Hono().get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})

const router = new Router().get('/', async (ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error no such key
  await ctx.session.get('views')
  // @ts-expect-error assigned over
  ctx.session = null
})
new Koa().use(koaSession(manager)).use(koaCart.routes()).use(router.routes())
new Koa<object, { region: string }>().use((ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  expectTypeOf(ctx.region).toEqualTypeOf<string>()
})
