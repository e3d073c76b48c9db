import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { CookieStore, sessionMiddleware } from 'hono-sessions'
import Koa from 'koa'
import koaSession from 'koa-session'
import { Client } from 'memjs'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from 'holdfast'
import { session as holdfastForHono } from 'holdfast/hono'
import { session as holdfastForKoa } from 'holdfast/koa'
import type { Data, OldData } from './moving-in/carry-over.ts'
import { fromExpressSession } from './moving-in/from-express-session.ts'
import { fromHonoSessions } from './moving-in/from-hono-sessions.ts'
import { fromKoaSession } from './moving-in/from-koa-session.ts'
import { issueSession } from 'holdfast/testing'
import { session as holdfastForExpress } from 'holdfast/node'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { startRedis, type RedisServerProcess } from '../support/redis.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

const OLD_SECRET = 'the secret of express-session'
const OLD_KEY = 'the encryption key of hono-sessions'
const DATA: OldData = { userId: 'u1', cart: ['rope'] }

let memcached: Memcached
let records: Client
let redis: RedisServerProcess
let redisClient: ReturnType<typeof createClient>
beforeAll(async () => {
  ;[memcached, redis] = await Promise.all([startMemcached(), startRedis()])
  records = Client.create(`127.0.0.1:${memcached.port}`)
  redisClient = createClient({ url: redis.address })
  await redisClient.connect()
})
afterAll(async () => {
  records.close()
  redisClient.destroy()
  await Promise.all([memcached.stop(), redis.stop()])
})

const countInMemcached = async () => Number(/STAT curr_items (\d+)/.exec(await memcached.text('stats'))![1])
const countInRedis = () => redisClient.dbSize()

const closes: (() => void)[] = []
afterEach(() => closes.splice(0).forEach((close) => close()))

/** A browser's cookies, and visits with them; plain http, so that Secure is not asked for. */
function browser() {
  const cookies = new Map<string, string>()
  return {
    cookies,
    async visit(url: string) {
      const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
      const response = await fetch(url, { headers: { cookie } })
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        if (/; (Max-Age=0|Expires=Thu, 01 Jan 1970)/i.test(line)) cookies.delete(name!)
        else cookies.set(name!, value!)
      }
      return { status: response.status, body: await response.text() }
    },
  }
}

async function listen(app: RequestListener): Promise<string> {
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closes.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

interface Move {
  name: string
  /** The application as it was, which signs in whoever comes. */
  before(): Promise<string>
  /** The application as it is, which tells what the session holds; `/leave` signs out. */
  after(manager: SessionManager<Data>): Promise<string>
  /** Old sessions in their store; left out, they are in their cookies. */
  count?: () => Promise<number>
  oldCookies: string[]
}

const inMemcached = {
  get: async (key: string) => JSON.parse(String((await records.get(key)).value)) as object,
  set: async (key: string, value: object) => void (await records.set(key, JSON.stringify(value), {})),
  destroy: async (key: string) => void (await records.delete(key)),
}

function koaBefore(options: object) {
  const app = new Koa()
  app.keys = ['the key of Koa']
  app.use(koaSession(options, app as never) as never).use((ctx) => {
    Object.assign((ctx as unknown as { session: OldData }).session, DATA)
    ctx.body = 'welcome'
  })
  return listen(app.callback())
}

function koaAfter(manager: SessionManager<Data>, old?: Client) {
  const app = new Koa()
  app.silent = true
  app.keys = ['the key of Koa']
  app.use(holdfastForKoa(manager))
  app.use(fromKoaSession(old) as Koa.Middleware)
  app.use(async (ctx) => {
    if (ctx.path === '/leave') ctx['session'].destroy()
    ctx.body = JSON.stringify(await holdingOf(ctx['session']))
  })
  return listen(app.callback())
}

function expressMove(
  storeName: string,
  count: () => Promise<number>,
  openStore: (expressSession: unknown) => Promise<any>,
): Move {
  return {
    name: `express-session with ${storeName}`,
    count,
    oldCookies: ['connect.sid'],
    async before() {
      const { default: express } = await import('express')
      const { default: expressSession } = await import('express-session' as string)
      const store = await openStore(expressSession)
      const options = { secret: OLD_SECRET, resave: false, saveUninitialized: false, store }
      const app = express().use(expressSession(options))
      app.get('/', (request, response) => {
        Object.assign(request.session, DATA)
        response.send('welcome')
      })
      return listen(app)
    },
    async after(manager) {
      const { default: express } = await import('express')
      const { default: expressSession } = await import('express-session' as string)
      const old = await openStore(expressSession)
      const app = express().use(holdfastForExpress(manager), fromExpressSession(old, [OLD_SECRET]))
      app.use(async (request, response) => {
        if (request.path === '/leave') request.session.destroy()
        response.send(await holdingOf(request.session as never))
      })
      return listen(app)
    },
  }
}

/** Who is signed in, and the data. */
async function holdingOf(session: Session<Data>): Promise<Partial<OldData>> {
  const userId = await session.userId()
  return { ...(userId !== undefined && { userId }), ...(await session.entries()) }
}

const moves: Move[] = [
  expressMove('connect-memjs', countInMemcached, async (expressSession) => {
    const { default: connectMemjs } = await import('connect-memjs' as string)
    return new (connectMemjs(expressSession))({ client: records })
  }),
  expressMove('connect-redis', countInRedis, async () => {
    const { RedisStore } = await import('connect-redis')
    return new RedisStore({ client: redisClient, prefix: 'old:' })
  }),
  {
    name: 'koa-session in its cookie',
    oldCookies: ['koa.sess', 'koa.sess.sig'],
    before: () => koaBefore({}),
    after: (manager) => koaAfter(manager),
  },
  {
    name: 'koa-session with a store',
    count: countInMemcached,
    oldCookies: ['koa.sess', 'koa.sess.sig'],
    before: () => koaBefore({ store: inMemcached }),
    after: (manager) => koaAfter(manager, records),
  },
  {
    name: 'hono-sessions in its cookie',
    oldCookies: ['session'],
    async before() {
      const { getRequestListener } = await import('@hono/node-server')
      const app = new Hono()
        .use(
          sessionMiddleware({
            store: new CookieStore(),
            encryptionKey: OLD_KEY,
            expireAfterSeconds: 900,
          }) as never,
        )
        .get('/', (c) => {
          const session = c.get('session' as never) as { set(key: string, value: unknown): void }
          for (const [key, value] of Object.entries(DATA)) session.set(key, value)
          return c.text('welcome')
        })
      return listen(getRequestListener(app.fetch))
    },
    async after(manager) {
      const { getRequestListener } = await import('@hono/node-server')
      const app = new Hono()
        .use(holdfastForHono(manager) as never)
        .use(fromHonoSessions(OLD_KEY) as never)
        .get('*', async (c) => {
          const session = c.get('session' as never) as ReturnType<typeof manager.open>
          if (c.req.path === '/leave') session.destroy()
          return c.json(await holdingOf(session))
        })
        .onError((error, c) => c.text('failed', 'status' in error ? (error.status as 503) : 500))
      return listen(getRequestListener(app.fetch))
    },
  },
]

describe.each(moves)('from $name', ({ before, after, count, oldCookies }) => {
  let store: TamperedStore
  let manager: SessionManager<Data>
  beforeEach(async () => {
    await Promise.all([memcached.text('flush_all'), redisClient.flushAll()])
    store = new TamperedStore(new MemoryStore())
    manager = createSessionManager<Data>({ store, secret })
  })

  /** A visitor whom the old application has signed in. */
  async function signedInBefore() {
    const visitor = browser()
    expect((await visitor.visit(await before())).body).toBe('welcome')
    expect([...visitor.cookies.keys()].toSorted()).toEqual(oldCookies)
    return visitor
  }

  it('carries a session over once, and leaves nothing of the old one', async () => {
    const visitor = await signedInBefore()
    expect(await count?.()).toBe(count && 1)
    const url = await after(manager)
    const { body } = await visitor.visit(url)
    expect(JSON.parse(body)).toEqual(DATA)
    expect([...visitor.cookies.keys()]).toEqual(['__Host-session'])
    expect(await count?.()).toBe(count && 0)
    store.forget()
    expect(JSON.parse((await visitor.visit(url)).body)).toEqual(DATA)
    expect(store.operations).toEqual(['get', 'get'])
    expect(await manager.listSessions('u1')).toHaveLength(1)
  })

  it('takes no cookie that was tampered with', async () => {
    const visitor = await signedInBefore()
    const [name] = oldCookies as [string]
    visitor.cookies.set(name, visitor.cookies.get(name)!.replace(/.{6}$/, 'AAAAAA'))
    const url = await after(manager)
    expect(JSON.parse((await visitor.visit(url)).body)).toEqual({})
    expect(visitor.cookies.has('__Host-session')).toBe(false)
  })

  it('leaves a new session as it is, though the old cookie comes again', async () => {
    const visitor = await signedInBefore()
    const before = new Map(visitor.cookies)
    const url = await after(manager)
    visitor.cookies.clear()
    visitor.cookies.set(...((await issueSession(manager, {}, { user: 'u2' })).split('=') as [string, string]))
    for (const [name, value] of before) visitor.cookies.set(name, value)
    expect(JSON.parse((await visitor.visit(url)).body)).toEqual({ userId: 'u2' })
    expect([...visitor.cookies.keys()]).toEqual(['__Host-session'])
  })

  it('F1: leaves all as it was when the new store fails, and carries over later', async () => {
    const visitor = await signedInBefore()
    const url = await after(manager)
    store.before = failing('add', 2)
    expect((await visitor.visit(url)).status).toBe(503)
    expect([...visitor.cookies.keys()].toSorted()).toEqual(oldCookies)
    expect(JSON.parse((await visitor.visit(url)).body)).toEqual(DATA)
  })

  it('E6: does not bring back who has just signed out, though the old cookie comes again', async () => {
    const visitor = await signedInBefore()
    const before = new Map(visitor.cookies)
    const url = await after(manager)
    await visitor.visit(url)
    const late = browser()
    for (const [name, value] of [...before, ...visitor.cookies]) late.cookies.set(name, value)
    await visitor.visit(`${url}/leave`)
    expect(JSON.parse((await late.visit(url)).body)).toEqual({})
  })
})
