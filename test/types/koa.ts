// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import Koa, { type Middleware, type ParameterizedContext } from 'koa'
import { expectTypeOf } from 'vitest'
import { createSessionManager, type Session } from 'holdfast'
import { session, type SessionContext } from 'holdfast/koa'
import type { Data } from './data.ts'

const manager = createSessionManager<Data>()
const timer: Middleware<{ startedAt: number }> = async (ctx, next) => {
  ctx.state.startedAt = Date.now()
  await next()
}

new Koa().use(session<Data>()).use(async (ctx, next) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error no such key
  await ctx.session.get('user')
  // @ts-expect-error a number, not a string
  ctx.session.set('views', '1')
  ctx.body = await ctx.session.get('views')
  await next()
})

// Statements on an app that was made by the chain, and what is beside it in the chain.
const chained = new Koa().use(timer).use(session(manager))
chained.use((ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  expectTypeOf(ctx.state.startedAt).toEqualTypeOf<number>()
  expectTypeOf(ctx.get('Host')).toEqualTypeOf<string>()
})

// An app that names its context.
new Koa<Koa.DefaultState, SessionContext<Data>>().use(session(manager)).use((ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
})

// Several as one: what is mounted together shares its context.
const together = compose(session(manager), timer, (ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
})
new Koa().use(together).use((ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
})

// A router below an app does not see the app's types: it mounts the manager again, which joins, or it names them.
const router = new Router().use(session(manager))
router.get('/', async (ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  ctx.body = await ctx.session.get('views')
})
new Koa().use(session(manager)).use(router.routes())
const named = new Router<Koa.DefaultState, SessionContext<Data>>()
named.get('/', timer, (ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
})
new Koa().use(session(manager)).use(named.routes())

// Handlers in files of their own.
export const ofContext = (ctx: ParameterizedContext<Koa.DefaultState, SessionContext<Data>>) =>
  ctx.session.get('userId')
new Koa().use(session(manager)).use(async (ctx) => {
  ctx.body = await ofContext(ctx)
})
export const handler: Middleware<Koa.DefaultState, SessionContext<Data>> = async (ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  ctx.body = await ofContext(ctx)
}
new Koa().use(session(manager)).use(handler)

// Without a type the session takes any key.
new Koa().use(session()).use(async (ctx) => {
  expectTypeOf(await ctx.session.get('whatever')).toBeAny()
})

// Two managers, each under its own name.
const admin = createSessionManager<{ role: string }>()
new Koa()
  .use(session(manager))
  .use(session(admin, { as: 'admin' }))
  .use((ctx) => {
    expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
    expectTypeOf(ctx.admin).toEqualTypeOf<Session<{ role: string }>>()
    // @ts-expect-error assigned over
    ctx.session = null
  })
new Koa().use(session<Data, 'shop'>({}, { as: 'shop' })).use((ctx) => {
  expectTypeOf(ctx.shop).toEqualTypeOf<Session<Data>>()
})
// @ts-expect-error name both types
session<Data>({}, { as: 'shop' })

// Which requests count as use.
new Koa().use(session(manager, { renew: ({ path }) => path !== '/unread' })).use((ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
})
session<Data>({}, { renew: (request) => request.get('X-Poll') === '' })
// @ts-expect-error whether it does is known at once
session(manager, { renew: async () => false })
export const both: Middleware<
  Koa.DefaultState,
  SessionContext<Data> & SessionContext<{ role: string }, 'admin'>
> = (ctx) => {
  expectTypeOf(ctx.admin).toEqualTypeOf<Session<{ role: string }>>()
}

declare function compose<State, Context>(
  ...middleware: Middleware<State, Context>[]
): Middleware<State, Context>

/** As the routers of Koa are typed. */
declare class Router<State = Koa.DefaultState, Context = Koa.DefaultContext> {
  use<S = {}, C = {}>(middleware: Middleware<State & S, Context & C>): Router<State & S, Context & C>
  get<S = {}, C = {}>(path: string, ...middleware: Middleware<State & S, Context & C>[]): this
  routes(): Middleware<State, Context>
}
