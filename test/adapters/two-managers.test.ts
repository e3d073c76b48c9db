import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withSession } from '../../src/adapters/fetch.ts'
import { session as honoSession } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import { session as nodeSession } from '../../src/adapters/node.ts'
import {
  createSessionManager,
  MemoryStore,
  type Session,
  type SessionEvent,
  type SessionManager,
} from '../../src/core/index.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

type Handler = (shop: Session, admin: Session) => unknown
/** Middlewares of these managers, each under its property, in this order; what they refuse is answered with its message. */
type Mounts = [manager: SessionManager, as: string][]
type Start = (mounts: Mounts, handler: Handler, failures: unknown[]) => RequestListener

const messageOf = (error: unknown) => (error as Error).message
const statusOf = (error: unknown) => (error as { status?: number }).status ?? 500

const adapters: [name: string, start: Start][] = [
  ['Hono', (mounts, handler, failures) => {
    const app = new Hono<{ Variables: Record<string, Session> }>()
    for (const [manager, as] of mounts) app.use(honoSession(manager, { as }))
    app.get('/', async (c) => {
      await handler(c.get('session')!, c.get('admin')!)
      return c.text('served')
    })
    app.onError((error, c) => {
      failures.push(error)
      return 'getResponse' in error ? (error.getResponse as () => Response)() : c.text(error.message, 500)
    })
    return getRequestListener(app.fetch)
  }],
  ['Koa', (mounts, handler, failures) => {
    const app = new Koa<any, any>()
    app.on('error', (error) => failures.push(error))
    app.use(async (ctx, next) => {
      await next().catch((error: unknown) => {
        if (statusOf(error) === 503) throw error
        failures.push(error)
        ctx.status = 500
        ctx.body = messageOf(error)
      })
    })
    for (const [manager, as] of mounts) app.use(koaSession(manager, { as }))
    app.use(async (ctx) => {
      await handler(ctx.session, ctx.admin)
      ctx.body = 'served'
    })
    return app.callback()
  }],
  ['fetch', (mounts, handler, failures) => {
    type Serve = (request: Request, opened: Session[]) => Promise<Response>
    const innermost: Serve = async (_, [shop, admin]) => {
      await handler(shop!, admin!)
      return new Response('served')
    }
    const serve = mounts.toReversed().reduce<Serve>(
      (inner, [manager]) => withSession(manager, (request, session, opened: Session[]) =>
        inner(request, opened.includes(session) ? opened : [...opened, session])),
      innermost,
    )
    return getRequestListener((request) =>
      serve(request, []).catch((error: unknown) => {
        failures.push(error)
        return new Response(messageOf(error), { status: statusOf(error) })
      }))
  }],
  ['node', (mounts, handler, failures) => {
    const onError = (error: unknown) => failures.push(error)
    const middlewares = mounts.map(([manager, as]) => nodeSession(manager, { as, onError }))
    return (request: any, response) => {
      const refuse = (error: unknown) => {
        failures.push(error)
        response.writeHead(500).end(messageOf(error))
      }
      const run = async (index: number): Promise<void> => {
        const middleware = middlewares[index]
        if (middleware) return middleware(request, response, (error) => error ? refuse(error) : void run(index + 1))
        await Promise.resolve(handler(request.session, request.admin)).catch(refuse)
        response.writeHead(200, { 'Content-Type': 'text/plain', 'Set-Cookie': 'theme=dark' }).end('served')
      }
      void run(0)
    }
  }],
] // prettier-ignore

describe.each(adapters)('two managers on one request: %s', (adapter, start) => {
  const ends: (() => unknown)[] = []
  afterEach(async () => {
    for (const end of ends.splice(0)) await end()
  })

  const order: string[] = []
  let events: string[]
  let shopStore: TamperedStore
  let adminStore: TamperedStore
  let shop: SessionManager
  let admin: SessionManager
  let failures: unknown[]
  beforeEach(() => {
    events = []
    failures = []
    order.length = 0
    shopStore = new TamperedStore(new MemoryStore())
    adminStore = new TamperedStore(new MemoryStore())
    shop = managerOf('__Host-session', shopStore)
    admin = managerOf('__Host-admin', adminStore)
  })
  const managerOf = (name: string, store = new TamperedStore(new MemoryStore())) =>
    createSessionManager({
      store,
      secret,
      cookie: { name, sameSite: 'strict' },
      onEvent: ({ type }: SessionEvent) => events.push(`${name} ${type}`),
    })

  async function ask(handler: Handler, { mounts = both(), cookie = '' } = {}) {
    const server = createServer(start(mounts, handler, failures)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    ends.push(() => server.close())
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      headers: { cookie },
    })
    const cookies = response.headers.getSetCookie().filter((each) => !each.startsWith('theme='))
    return {
      status: response.status,
      body: await response.text(),
      names: cookies.map((each) => each.split('=')[0]),
      cookie: cookies.map((each) => each.split(';')[0]).join('; '),
    }
  }
  const both = (): Mounts => [
    [shop, 'session'],
    [admin, 'admin'],
  ]
  const writeBoth: Handler = (shopSession, adminSession) => {
    shopSession.set('cart', ['rope'])
    adminSession.set('user', 'root')
  }

  it('D5: each has a cookie and data of its own, and the inner one is committed first', async () => {
    shopStore.before = () => order.push('shop')
    adminStore.before = () => order.push('admin')
    const first = await ask(writeBoth)
    expect(first).toMatchObject({ status: 200, body: 'served', names: ['__Host-admin', '__Host-session'] })
    expect(order).toEqual(['admin', 'shop'])
    const seen: unknown[] = []
    await ask(
      async (...sessions) => seen.push(...(await Promise.all(sessions.map((each) => each.entries())))),
      {
        cookie: first.cookie,
      },
    )
    expect(seen).toEqual([{ cart: ['rope'] }, { user: 'root' }])
    expect(failures).toEqual([])
  })

  it.each<[string, Handler, string[]]>([
    ['neither', () => {}, []],
    ['the outer one', (session) => session.set('a', 1), ['__Host-session']],
    ['the inner one', (_, session) => session.set('a', 1), ['__Host-admin']],
  ])('D5: %s is touched', async (_, handler, names) => {
    expect(await ask(handler)).toMatchObject({ status: 200, body: 'served', names })
    expect(shopStore.keys.length + adminStore.keys.length).toBe(names.length)
  })

  it('D5: what the inner one kept stays and its cookie goes out when the outer one fails', async () => {
    shopStore.before = failing('add', 9)
    const answer = await ask(writeBoth)
    expect(answer).toMatchObject({ status: 503, names: ['__Host-admin'] })
    expect(answer.body).not.toContain('served')
    expect(await admin.open(answer.cookie).get('user')).toBe('root')
  })

  it("D5: a failing inner one drops the outer one's changes", async () => {
    adminStore.before = failing('add', 9)
    expect(await ask(writeBoth)).toMatchObject({ status: 503, names: [] })
    expect(shopStore.operations).toEqual([])
    expect(events).toContain('__Host-session dropped')
  })

  it('D5: a failing inner one keeps no outer sign-out from happening', async () => {
    const { cookie } = await ask(writeBoth)
    adminStore.before = failing('replace', 9)
    const answer = await ask(
      (shopSession, adminSession) => {
        shopSession.destroy()
        adminSession.set('user', 'u2')
      },
      { cookie },
    )
    expect(answer).toMatchObject({ status: 503, names: ['__Host-session'] })
    expect(await shop.open(cookie).exists()).toBe(false)
  })

  it('D5: data that the inner one cannot save is a 500 that drops the changes of the outer one', async () => {
    const answer = await ask((shopSession, adminSession) => {
      shopSession.set('cart', [])
      adminSession.set('seen', new Map())
    })
    expect(answer).toMatchObject({ status: 500, names: [] })
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })])
    expect(shopStore.operations).toEqual([])
  })

  it('D5: a third middleware of either manager joins, also under another name', async () => {
    const mounts: Mounts = [...both(), [shop, 'session'], [admin, 'admin'], [shop, 'basket']]
    expect(await ask(writeBoth, { mounts })).toMatchObject({
      status: 200,
      names: ['__Host-admin', '__Host-session'],
    })
    expect(shopStore.operations).toEqual(['add'])
    expect(failures).toEqual([])
  })

  it('D5: three stand beside each other', async () => {
    const third = new TamperedStore(new MemoryStore())
    const mounts: Mounts = [...both(), [managerOf('__Host-oauth', third), 'oauth']]
    expect(await ask(writeBoth, { mounts })).toMatchObject({ names: ['__Host-admin', '__Host-session'] })
    adminStore.before = failing('add', 9)
    shopStore.forget()
    expect(await ask(writeBoth, { mounts })).toMatchObject({ status: 503, names: [] })
    expect(shopStore.operations).toEqual([])
  })

  it('D5: another manager with the same cookie name is refused, and told what to write', async () => {
    const mounts: Mounts = [...both(), [managerOf('__Host-session'), 'other']]
    const answer = await ask(writeBoth, { mounts })
    expect(answer.body).toMatch(/cookie name __Host-session already .* share one manager, .* as: 'admin'/)
    expect(failures).toContainEqual(expect.objectContaining({ code: 'ERR_SESSION_MOUNTED_TWICE' }))
  })

  if (adapter !== 'fetch')
    it('D5: the same property is refused, and told what to write', async () => {
      const mounts: Mounts = [...both(), [managerOf('__Host-other'), 'admin']]
      const answer = await ask(writeBoth, { mounts })
      expect(answer.body).toMatch(/^(c\.var|ctx|request)\.admin is taken, .* as: 'admin'/)
      expect(failures).toContainEqual(expect.objectContaining({ code: 'ERR_SESSION_MOUNTED_TWICE' }))
    })
})

describe.each([
  ['Hono', honoSession],
  ['Koa', koaSession],
  ['node', nodeSession],
] as [string, (options: object, more?: any) => unknown][])('the second argument: %s', (_, session) => {
  it.each([
    [{ as: '' }, 'as: expected the name of a property, as in \'admin\', got ""'],
    [{ as: 7 }, "as: expected the name of a property, as in 'admin', got 7"],
    [{ as: null }, "as: expected the name of a property, as in 'admin', got null"],
    [{ name: 'admin' }, /^session: expected as.*; got name$/],
    [() => {}, /^session: expected an object, \{ as.* \}, got a function$/],
    ['admin', /^session: expected an object, \{ as.* \}, got a string$/],
    [null, /^session: expected an object, \{ as.* \}, got null$/],
  ])('L1: %j is refused', (options, message) => {
    expect(() => session({}, options)).toThrow(TypeError)
    expect(() => session({}, options)).toThrow(message)
  })
})

describe('a property that is taken', () => {
  const visit = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    server.close()
    return response.text()
  }

  it.each(['body', 'cookies', 'toString', 'state'])('D5: ctx.%s of Koa is refused', async (as) => {
    const app = new Koa()
    app.use((ctx, next) => next().catch((error: unknown) => void (ctx.body = messageOf(error))))
    app.use(koaSession({}, { as }))
    expect(await visit(app.callback())).toContain(`ctx.${as} is taken`)
  })

  it.each(['url', 'headers', 'on', 'toString'])('D5: request.%s of Node is refused', async (as) => {
    const sessions = nodeSession({}, { as })
    const listener: RequestListener = (request, response) =>
      sessions(request, response, (error) => response.end(messageOf(error)))
    expect(await visit(listener)).toContain(`request.${as} is taken`)
  })

  it('D5: a session that another library defines on the contexts of Koa is not overwritten', async () => {
    const app = new Koa()
    // As koa-session does, whose sessions are loaded by the first read.
    Object.defineProperty(app.context, 'session', { get: () => null, configurable: true })
    app.use((ctx, next) => next().catch((error: unknown) => void (ctx.body = messageOf(error))))
    app.use(koaSession())
    expect(await visit(app.callback())).toContain('ctx.session is taken')
  })

  it('D5: nor is one that another library has set on the context of Hono', async () => {
    const app = new Hono<{ Variables: { session: any } }>().use(async (c, next) => {
      c.set('session', { get() {} })
      await next()
    })
    app.use(honoSession()).get('/', (c) => c.text('served'))
    app.onError((error, c) => c.text(error.message))
    expect(await (await app.request('/')).text()).toContain('c.var.session is taken')
  })
})
