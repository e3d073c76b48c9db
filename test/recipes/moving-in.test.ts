import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { useSession, useSessionStorage, type SessionEnv, type Storage } from '@hono/session'
import cookieSession from 'cookie-session'
import { Hono, type MiddlewareHandler } from 'hono'
import { CookieStore, MemoryStore as HonoMemoryStore, sessionMiddleware } from 'hono-sessions'
import { getIronSession } from 'iron-session'
import Koa from 'koa'
import koaSession from 'koa-session'
import { Client } from 'memjs'
import { createClient } from 'redis'
import { afterAll, beforeAll } from 'vitest'
import type { SessionManager } from 'holdfast'
import { session as holdfastForHono } from 'holdfast/hono'
import { session as holdfastForKoa } from 'holdfast/koa'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { listen } from '../support/recipes.ts'
import { startRedis, type RedisServerProcess } from '../support/redis.ts'
import { DATA, describeMove, expressAfter, expressBefore, expressMove, holdingOf } from './moves.ts'
import type { Data, OldData } from './moving-in/carry-over.ts'
import { readCookieSession } from './moving-in/cookie-session.ts'
import { fromCookie } from './moving-in/from-cookie.ts'
import { fromHono } from './moving-in/from-hono.ts'
import { fromKoaSession } from './moving-in/from-koa-session.ts'
import { oldHonoSession } from './moving-in/hono-session.ts'
import { oldHonoSessions } from './moving-in/hono-sessions.ts'
import { readIronSession } from './moving-in/iron-session.ts'

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

/** Not `curr_items`, which for a while has what was flushed. */
async function countInMemcached(): Promise<number> {
  let dump = ''
  const socket = connect(memcached.port).setEncoding('latin1')
  socket.write('lru_crawler metadump all\r\n')
  for await (const chunk of socket) if ((dump += chunk).endsWith('END\r\n')) break
  return dump.split('key=').length - 1
}
const clearMemcached = () => memcached.text('flush_all')

describeMove(
  expressMove(
    'connect-memjs',
    async (expressSession) => {
      const { default: connectMemjs } = await import('connect-memjs' as string)
      return new (connectMemjs(expressSession))({ client: records })
    },
    countInMemcached,
    clearMemcached,
  ),
)
describeMove(
  expressMove(
    'connect-redis',
    async () => {
      const { RedisStore } = await import('connect-redis')
      return new RedisStore({ client: redisClient, prefix: 'old:' })
    },
    () => redisClient.dbSize(),
    () => redisClient.flushAll(),
  ),
)
{
  let inMemory: { sessions: object; clear(done: () => void): void } | undefined
  describeMove(
    expressMove(
      'its MemoryStore',
      ({ MemoryStore }) => (inMemory ??= new MemoryStore()),
      async () => Object.keys(inMemory!.sessions).length,
      () => (inMemory = undefined),
    ),
  )
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

describeMove({
  name: 'koa-session in its cookie',
  oldCookies: ['koa.sess', 'koa.sess.sig'],
  before: () => koaBefore({}),
  after: (manager) => koaAfter(manager),
})
{
  let isFailing = false
  describeMove({
    name: 'koa-session with a store',
    oldCookies: ['koa.sess', 'koa.sess.sig'],
    before: () => koaBefore({ store: inMemcached }),
    after: (manager) => {
      const old = Object.create(records) as Client
      old.get = (key: string) => (isFailing ? Promise.reject(new Error('gone')) : records.get(key)) as never
      return koaAfter(manager, old)
    },
    store: {
      count: countInMemcached,
      clear: clearMemcached,
      fail: (failing) => void (isFailing = failing),
    },
  })
}

const COOKIE_SESSION = { keys: ['the key of cookie-session'] }
describeMove({
  name: 'cookie-session',
  oldCookies: ['session', 'session.sig'],
  before: () => expressBefore(cookieSession(COOKIE_SESSION)),
  after: (manager) =>
    expressAfter(manager, fromCookie(readCookieSession(COOKIE_SESSION), 'session', 'session.sig')),
})

const IRON_SESSION = { cookieName: 'iron', password: 'the password of iron-session, of 32 bytes' }
describeMove({
  name: 'iron-session',
  oldCookies: ['iron'],
  before: () =>
    listen(async (request, response) => {
      const session = await getIronSession<OldData>(request, response, IRON_SESSION)
      Object.assign(session, DATA)
      await session.save()
      response.end('welcome')
    }),
  after: (manager) => expressAfter(manager, fromCookie(readIronSession(IRON_SESSION), 'iron')),
})

async function listenToHono(app: Hono<any>): Promise<string> {
  const { getRequestListener } = await import('@hono/node-server')
  return listen(getRequestListener(app.fetch))
}

function honoAfter(manager: SessionManager<Data>, old: Hono<any>, name: string) {
  const app = new Hono()
    .use(holdfastForHono(manager) as never)
    .use(fromHono(old, name) as never)
    .get('*', async (c) => {
      const session = c.get('session' as never) as ReturnType<typeof manager.open>
      if (c.req.path === '/leave') session.destroy()
      return c.json(await holdingOf(session))
    })
    .onError((error, c) => c.text('failed', 'status' in error ? (error.status as 503) : 500))
  return listenToHono(app)
}

function honoSessionsBefore(options: Parameters<typeof sessionMiddleware>[0]) {
  const app = new Hono().use(sessionMiddleware(options) as never).get('/', (c) => {
    const session = c.get('session' as never) as { set(key: string, value: unknown): void }
    for (const [key, value] of Object.entries(DATA)) session.set(key, value)
    return c.text('welcome')
  })
  return listenToHono(app)
}

const inCookie = () => ({
  store: new CookieStore(),
  encryptionKey: 'the encryption key of hono-sessions',
  expireAfterSeconds: 900,
})
describeMove({
  name: 'hono-sessions in its cookie',
  oldCookies: ['session'],
  before: () => honoSessionsBefore(inCookie()),
  after: (manager) => honoAfter(manager, oldHonoSessions(inCookie()), 'session'),
})
{
  let store = new HonoMemoryStore()
  let isFailing = false
  const options = () => ({ ...inCookie(), store })
  describeMove({
    name: 'hono-sessions with a store',
    oldCookies: ['session'],
    before: () => honoSessionsBefore(options()),
    after(manager) {
      const old = oldHonoSessions(options())
      const request: typeof old.request = (...args) =>
        isFailing ? Promise.reject(new Error('gone')) : old.request(...args)
      return honoAfter(manager, { request } as never, 'session')
    },
    store: {
      count: async () => (store as unknown as { data: Map<string, unknown> }).data.size,
      clear: () => void (store = new HonoMemoryStore()),
      fail: (failing) => void (isFailing = failing),
    },
  })
}

const HONO_SESSION = { secret: randomBytes(32).toString('hex'), duration: { absolute: 900 } }
const honoSessionBefore = (...storages: MiddlewareHandler<any>[]) => {
  const app = new Hono<SessionEnv<OldData>>()
  for (const storage of storages) app.use(storage)
  return listenToHono(
    app.use(useSession<OldData>(HONO_SESSION)).get('/', async (c) => {
      await c.var.session.update(DATA)
      return c.text('welcome')
    }),
  )
}
describeMove({
  name: '@hono/session in its cookie',
  oldCookies: ['sid'],
  before: () => honoSessionBefore(),
  after: (manager) => honoAfter(manager, oldHonoSession(HONO_SESSION), 'sid'),
})
{
  const inMemory = new Map<string, OldData>()
  let isFailing = false
  const storage: Storage<OldData> = {
    get: (id) => (isFailing ? Promise.reject(new Error('gone')) : (inMemory.get(id) ?? null)),
    set: (id, data) => void inMemory.set(id, data),
    delete: (id) => void inMemory.delete(id),
  }
  describeMove({
    name: '@hono/session with a storage',
    oldCookies: ['sid'],
    before: () => honoSessionBefore(useSessionStorage(storage)),
    after: (manager) => {
      const old = new Hono().use(useSessionStorage(storage)).route('/', oldHonoSession(HONO_SESSION))
      return honoAfter(manager, old, 'sid')
    },
    store: {
      count: async () => inMemory.size,
      clear: () => inMemory.clear(),
      fail: (failing) => void (isFailing = failing),
    },
  })
}
