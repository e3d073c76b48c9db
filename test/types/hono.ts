// Compiled by `tsc`, never run: a line that compiles where it should not fails through its .
import { Hono, type Context } from 'hono'
import { createFactory, createMiddleware } from 'hono/factory'
import { expectTypeOf } from 'vitest'
import { createSessionManager, type Session } from 'holdfast'
import { session, type SessionVariables } from 'holdfast/hono'
import type { Data } from './data.ts'

const manager = createSessionManager<Data>()
const timer = createMiddleware<{ Variables: { startedAt: number } }>(async (c, next) => {
  c.set('startedAt', Date.now())
  await next()
})

export const app = new Hono().use(session<Data>()).get('/', async (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  expectTypeOf(c.get('session')).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error no such key
  await c.var.session.get('user')
  // @ts-expect-error a number, not a string
  c.var.session.set('views', '1')
  return c.json(await c.var.session.get('views'))
})

// The data of a manager is that of the session.
new Hono().use(session(manager)).get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})

// Statements on an app that was made by the chain, its error handler, and what is beside it in the chain.
const chained = new Hono<{ Bindings: { region: string } }>()
  .use(timer)
  .use('*', session<Data>())
  .use(async (c, next) => {
    expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
    await next()
  })
chained.on(['GET', 'POST'], '/', (c) => {
  expectTypeOf(c.var).toExtend<{ session: Session<Data>; startedAt: number }>()
  expectTypeOf(c.env.region).toEqualTypeOf<string>()
  return c.body(null)
})
chained.all('/both', timer, async (c) => {
  expectTypeOf(c.var).toExtend<{ session: Session<Data>; startedAt: number }>()
  return c.body(null)
})
chained.onError((_error, c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})
chained.notFound((c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})

// Several in one call, and on one route.
new Hono().use(timer, session<Data>()).get('/', (c) => {
  expectTypeOf(c.var).toExtend<{ session: Session<Data>; startedAt: number }>()
  return c.body(null)
})
new Hono().get('/', session<Data>(), timer, (c) => {
  expectTypeOf(c.var).toExtend<{ session: Session<Data>; startedAt: number }>()
  return c.body(null)
})

// An app below another does not see the other's types: it mounts the manager again, which joins, or it names them.
const account = new Hono().use(session(manager)).get('/', async (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.json({ views: await c.var.session.get('views') })
})
const named = new Hono<{ Variables: SessionVariables<Data> }>().get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})
new Hono().get('/', (c) => {
  // @ts-expect-error no session was mounted here
  void c.var.session
  return c.body(null)
})
const mounted = new Hono()
  .use(session(manager))
  .route('/account', account)
  .route('/named', named)
  .basePath('/below')
mounted.get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})

// Handlers in files of their own.
const factory = createFactory<{ Variables: SessionVariables<Data> }>()
new Hono().use(session(manager)).get(
  '/',
  ...factory.createHandlers(timer, async (c) => {
    expectTypeOf(c.var).toExtend<{ session: Session<Data>; startedAt: number }>()
    return c.body(null)
  }),
)
factory.createApp().get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})
export const members = factory.createMiddleware(async (c, next) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  await next()
})
export const handlers = createFactory().createHandlers(session(manager), (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})
export const ofContext = (c: Context<{ Variables: SessionVariables<Data> }>) => c.var.session.get('userId')
new Hono().use(session(manager)).get('/', async (c) => c.text((await ofContext(c)) ?? ''))
// @ts-expect-error the session of this app holds other data
new Hono().use(session<{ theme: string }>()).get('/', async (c) => c.text((await ofContext(c)) ?? ''))

// Without a type the session takes any key.
new Hono().use('/admin/*', session()).get('/', async (c) => {
  expectTypeOf(await c.var.session.get('whatever')).toBeAny()
  return c.body(null)
})

// Two managers, each under its own name.
const admin = createSessionManager<{ role: string }>()
new Hono()
  .use(session(manager))
  .use(session(admin, { as: 'admin' }))
  .get('/', (c) => {
    expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
    expectTypeOf(c.var.admin).toEqualTypeOf<Session<{ role: string }>>()
    return c.body(null)
  })
new Hono().use(session<Data, 'shop'>({}, { as: 'shop' })).get('/', (c) => {
  expectTypeOf(c.var.shop).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error it has another name
  void c.var.session
  return c.body(null)
})
// @ts-expect-error name both types
session<Data>({}, { as: 'shop' })
// @ts-expect-error no such option
session(manager, { name: 'shop' })

// Which requests count as use.
new Hono().use(session(manager, { renew: ({ path }) => path !== '/unread' })).get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})
session<Data>({}, { renew: (request) => request.header('x-poll') === undefined })
session(admin, { as: 'admin', renew: undefined })
// @ts-expect-error whether it does is known at once
session(manager, { renew: async () => false })
// @ts-expect-error a function
session(manager, { renew: false })
new Hono<{ Variables: SessionVariables<Data> & SessionVariables<{ role: string }, 'admin'> }>().get(
  '/',
  (c) => {
    expectTypeOf(c.var.admin).toEqualTypeOf<Session<{ role: string }>>()
    // @ts-expect-error assigned over
    c.set('session', null)
    return c.body(null)
  },
)
