// Compiled by `tsc`, never run: a line that compiles where it should not fails through its @ts-expect-error.
import type { Context } from 'hono'
import { Hono } from 'hono'
import Koa from 'koa'
import { expectTypeOf } from 'vitest'
import { createSessionManager, MemoryStore } from 'holdfast'
import type { Json, Session, SessionData, SessionEvent, SessionManager, SessionStore } from 'holdfast'
import { withSession } from 'holdfast/fetch'
import { session as honoSession, type SessionVariables } from 'holdfast/hono'
import { session as koaSession, type SessionContext } from 'holdfast/koa'

type Data = {
  userId: string
  cart: { sku: string; count: number }[]
  views: number
  nickname?: string | null
}

interface DataAsInterface {
  readonly userId: string
  tree: Tree
}
interface Tree {
  children: Tree[]
}

export async function aSession(session: Session<Data>) {
  expectTypeOf(await session.get('userId')).toEqualTypeOf<string | undefined>()
  expectTypeOf(await session.get('cart')).toEqualTypeOf<Data['cart'] | undefined>()
  expectTypeOf(await session.get('nickname')).toEqualTypeOf<string | null | undefined>()
  expectTypeOf(await session.has('views')).toEqualTypeOf<boolean>()
  expectTypeOf(await session.entries()).toEqualTypeOf<Partial<Data>>()
  expectTypeOf(await session.take('views')).toEqualTypeOf<number | undefined>()
  expectTypeOf(await session.exists()).toEqualTypeOf<boolean>()
  expectTypeOf(session.save()).toEqualTypeOf<Promise<void>>()
  expectTypeOf(session.set('views', 1)).toEqualTypeOf<void>()
  session.set('cart', [{ sku: 'a', count: 1 }])
  session.set('nickname', null)
  session.set('views', undefined)

  const views = await session.update('views', (n) => {
    expectTypeOf(n).toEqualTypeOf<number | undefined>()
    return (n ?? 0) + 1
  })
  expectTypeOf(views).toEqualTypeOf<number>()
  expectTypeOf(await session.update('views', (n = 0) => n + 1)).toEqualTypeOf<number>()

  session.setTimeouts({ idle: 60, absolute: 600, persistent: false })
  session.setTimeouts({ idle: false })
}

export async function mistakes(session: Session<Data>) {
  // @ts-expect-error no such key
  await session.get('user')
  // @ts-expect-error no such key
  await session.has('user')
  // @ts-expect-error no such key
  session.delete('user')
  // @ts-expect-error no such key
  await session.take('user')
  // @ts-expect-error a number, not a string
  session.set('views', '1')
  // @ts-expect-error a value of another key
  session.set('cart', 1)
  // @ts-expect-error wrong inside
  session.set('cart', [{ sku: 'a', count: '1' }])
  // @ts-expect-error null is not undefined
  session.set('views', null)
  // @ts-expect-error the current value may be missing
  await session.update('views', (n: number) => n + 1)
  // @ts-expect-error returns another type
  await session.update('views', () => 'one')
  // @ts-expect-error a function that returns a promise
  await session.update('views', async () => 1)
  // @ts-expect-error there is no switching the absolute timeout off
  session.setTimeouts({ absolute: false })
  // @ts-expect-error only reading gives values
  session.get('views').toFixed()
}

export async function anySession(session: Session) {
  expectTypeOf(await session.get('whatever')).toBeAny()
  session.set('whatever', { any: ['value'] })
}

// What JSON holds is taken as it is, under a type alias or an interface, deep, optional or recursive.
expectTypeOf<SessionData<Data>>().toEqualTypeOf<Data>()
expectTypeOf<SessionData<DataAsInterface>>().toExtend<DataAsInterface>()
expectTypeOf<Json<[1, readonly 'a'[], { b?: boolean }]>>().toEqualTypeOf<
  [1, readonly 'a'[], { b?: boolean }]
>()
expectTypeOf<Json<string & { brand: 'UserId' }>>().toEqualTypeOf<string & { brand: 'UserId' }>()
createSessionManager<Data>()
createSessionManager<DataAsInterface>()
createSessionManager<{ mode: 'light' | 'dark'; at: [number, number]; rest: Record<string, number> }>()

// What it does not hold says so.
expectTypeOf<Json<Date>>().toEqualTypeOf<'a session holds JSON: store a Date as a number or an ISO string'>()
expectTypeOf<
  Json<Map<string, 1> | Set<1>>
>().toEqualTypeOf<'a session holds JSON: store a Map or Set as an array'>()
expectTypeOf<Json<() => 1>>().toEqualTypeOf<'a session holds JSON: functions cannot be stored'>()
expectTypeOf<
  Json<bigint | symbol>
>().toEqualTypeOf<'a session holds JSON: store a string instead of a bigint or symbol'>()
expectTypeOf<Json<{ a: [{ at: Date }] }>['a'][0]['at']>().toEqualTypeOf<Json<Date>>()

// @ts-expect-error a Date
createSessionManager<{ at: Date }>()
// @ts-expect-error a Date, optional, beside a string
createSessionManager<{ at?: Date | string }>()
// @ts-expect-error a Date deep inside
createSessionManager<{ orders: { lines: { at: Date }[] }[] }>()
// @ts-expect-error a Map
createSessionManager<{ seen: Map<string, number> }>()
// @ts-expect-error a Set
createSessionManager<{ seen: ReadonlySet<string> }>()
// @ts-expect-error a function
createSessionManager<{ log: (text: string) => void }>()
// @ts-expect-error a bigint
createSessionManager<{ id: bigint }>()
// @ts-expect-error a symbol
createSessionManager<{ id: symbol }>()
// @ts-expect-error an instance with methods
createSessionManager<{ bytes: Uint8Array }>()
// @ts-expect-error a Date in an interface
createSessionManager<DataAsInterface & { at: Date }>()
// @ts-expect-error a Date through the adapter for Hono
honoSession<{ at: Date }>()
// @ts-expect-error a Date through the adapter for Koa
koaSession<{ at: Date }>()
// @ts-expect-error a Date through the adapter for fetch
withSession<{ at: Date }>({}, () => new Response())

// @ts-expect-error no such option
createSessionManager({ ttl: 60 })
// @ts-expect-error no such attribute
createSessionManager({ cookie: { maxAge: 60 } })
// @ts-expect-error lower case
createSessionManager({ cookie: { sameSite: 'Lax' } })
// @ts-expect-error not a store: it cannot compare and swap
createSessionManager({ store: new Map() })
// @ts-expect-error a store is not the options
createSessionManager(new MemoryStore())
createSessionManager({ secret: process.env.SESSION_SECRET, store: undefined, idleTimeout: false })
createSessionManager({
  secret: [new Uint8Array(32), 'old'] as const,
  onEvent: ({ type }: SessionEvent) => type,
})
expectTypeOf(new MemoryStore()).toExtend<SessionStore>()

const manager = createSessionManager<Data>()
expectTypeOf(manager).toEqualTypeOf<SessionManager<Data>>()
expectTypeOf(manager.open('')).toEqualTypeOf<Session<Data>>()
expectTypeOf(createSessionManager(manager)).toEqualTypeOf<SessionManager<Data>>()
manager.open(() => new Headers().get('cookie'))
export const joined = (other: unknown) =>
  manager.joins(other) ? expectTypeOf(other).toEqualTypeOf<Session<Data>>() : undefined
export const commit = (headers: Headers) => manager.commit(manager.open(null), { status: 200, headers })

// Hono: `.use(session<Data>())` types `c.var.session`, with no annotation.
export const hono = new Hono().use(honoSession<Data>()).get('/', async (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  expectTypeOf(c.get('session')).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error no such key
  await c.var.session.get('user')
  return c.json(await c.var.session.get('views'))
})
new Hono().use(honoSession(manager)).get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.body(null)
})
new Hono().use('/admin/*', honoSession()).get('/', async (c) => c.json(await c.var.session.get('whatever')))
new Hono<{ Variables: { user: string } & SessionVariables<Data> }>().get('/', (c) => {
  expectTypeOf(c.var.session).toEqualTypeOf<Session<Data>>()
  return c.text(c.var.user)
})
export const ofContext = (c: Context<{ Variables: SessionVariables<Data> }>) => c.var.session.get('userId')

// Koa: the same on `ctx.session`.
new Koa().use(koaSession<Data>()).use(async (ctx, next) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
  // @ts-expect-error no such key
  await ctx.session.get('user')
  ctx.body = await ctx.session.get('views')
  await next()
})
new Koa<Koa.DefaultState, SessionContext<Data>>().use(koaSession(manager)).use((ctx) => {
  expectTypeOf(ctx.session).toEqualTypeOf<Session<Data>>()
})

// fetch: the handler gets the session, and whatever else the server passes on.
export const plain = withSession<Data>({}, async (request, session) => {
  expectTypeOf(request).toEqualTypeOf<Request>()
  expectTypeOf(session).toEqualTypeOf<Session<Data>>()
  return new Response(await session.get('userId'))
})
expectTypeOf(plain).toEqualTypeOf<(request: Request) => Promise<Response>>()
const withServer = withSession(manager, (_request, session, server: { port: number }) => {
  expectTypeOf(session).toEqualTypeOf<Session<Data>>()
  return new Response(String(server.port))
})
expectTypeOf(withServer).toEqualTypeOf<(request: Request, server: { port: number }) => Promise<Response>>()
// @ts-expect-error a handler that answers nothing
withSession<Data>({}, () => {})
