import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withSession } from '../../src/adapters/fetch.ts'
import { session as honoSession } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import { session as nodeSession, type SessionRequest } from '../../src/adapters/node.ts'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from '../../src/core/index.ts'
import { issueSession } from '../../src/testing/index.ts'
import { secret } from '../support/stores.ts'
import { TamperedStore } from '../support/tampered-store.ts'

type Renew = (request: any) => boolean
type Handler = (session: Session) => Promise<unknown>

/** Every adapter: the middleware with these options, mounted twice; how its requests tell a header; what it is made of. */
interface Adapter {
  start(manager: SessionManager, renews: (Renew | undefined)[], handler: Handler): RequestListener
  header(request: any, name: string): unknown
  make(manager: SessionManager, options: never): unknown
}

const failed = (error: unknown) => `failed: ${(error as Error).message}`

const adapters: Record<string, Adapter> = {
  Hono: {
    start(manager, renews, handler) {
      const app = new Hono<{ Variables: { session: Session } }>()
      for (const renew of renews) app.use(honoSession(manager, { renew }))
      app.get('/', async (c) => c.text(String(await handler(c.var.session))))
      app.onError((error, c) => c.text(failed(error), 500))
      return getRequestListener(app.fetch)
    },
    header: (request, name) => request.header(name),
    make: (manager, options) => honoSession(manager, options),
  },
  Koa: {
    start(manager, renews, handler) {
      const app = new Koa<object, { session: Session }>()
      app.use(async (ctx, next) => {
        await next().catch((error: unknown) => {
          ctx.status = 500
          ctx.body = failed(error)
        })
      })
      for (const renew of renews) app.use(koaSession(manager, { renew }))
      app.use(async (ctx) => {
        ctx.body = String(await handler(ctx.session))
      })
      return app.callback()
    },
    header: (request, name) => request.get(name),
    make: (manager, options) => koaSession(manager, options),
  },
  fetch: {
    start(manager, renews, handler) {
      type Serve = (request: Request) => Promise<Response>
      const innermost = withSession(
        manager,
        async (_, session) => new Response(String(await handler(session))),
      )
      const serve = renews.reduceRight<Serve>(
        (inner, renew) => withSession(manager, (request) => inner(request), { renew }),
        innermost,
      )
      return getRequestListener((request) =>
        serve(request).catch((error: unknown) => new Response(failed(error), { status: 500 })),
      )
    },
    header: (request, name) => request.headers.get(name),
    make: (manager, options) => withSession(manager, () => new Response(), options),
  },
  node: {
    start(manager, renews, handler) {
      const middlewares = renews.map((renew) => nodeSession(manager, { renew }))
      return (request, response) => {
        const run = (index: number): unknown => {
          const middleware = middlewares[index]
          if (middleware) return middleware(request, response, () => run(index + 1))
          return handler((request as IncomingMessage & SessionRequest).session)
            .catch(failed)
            .then((body) => response.end(String(body)))
        }
        void run(0)
      }
    },
    header: (request, name) => request.headers[name],
    make: (manager, options) => nodeSession(manager, options),
  },
}

describe.each(Object.entries(adapters))('renew of %s', (name, adapter) => {
  let store: TamperedStore
  let manager: SessionManager
  let cookie: string
  beforeEach(async () => {
    store = new TamperedStore(new MemoryStore())
    manager = createSessionManager({ store, secret, idleTimeout: 60 })
    cookie = await issueSession(manager, { theme: 'dark' })
    store.forget()
  })
  let close = () => {}
  afterEach(() => close())

  async function ask(
    renews: (Renew | undefined)[],
    headers: Record<string, string>,
    handler: Handler = read,
  ) {
    const server = createServer(adapter.start(manager, renews, handler)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    close = () => {
      server.close()
      server.closeAllConnections()
    }
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    return (await fetch(url, { headers: { cookie, ...headers } })).text()
  }
  const read: Handler = (session) => session.get('theme')

  it("C6: is given the framework's own request, and says which ones are no use", async () => {
    const isUse: Renew = (request) => adapter.header(request, 'x-poll') !== '1'
    expect(await ask([isUse], { 'x-poll': '1' })).toBe('dark')
    expect([store.operations, store.ttls]).toEqual([['get'], []])
    expect(await ask([isUse], {})).toBe('dark')
    expect([store.operations, store.ttls]).toEqual([['get', 'get'], [60]])
  })

  it('C6: is asked once, at the first read, and never where nothing is read', async () => {
    const seen: string[] = []
    const renew = () => {
      seen.push('asked')
      return true
    }
    await ask([renew], {}, async () => 'untouched')
    expect(seen).toEqual([])
    await ask([renew], {}, async (session) => {
      seen.push('handler')
      await session.get('theme')
      seen.push('read')
      await session.entries()
    })
    expect(seen).toEqual(['handler', 'asked', 'read'])
  })

  it('C6: what it throws is what the read rejects with, and the application answers', async () => {
    const renew = () => {
      throw new Error('no such route')
    }
    expect(await ask([renew], {})).toContain('failed: no such route')
    expect(store.operations).toEqual([])
  })

  it('C6, D5: of two middlewares of one manager the outer one says it', async () => {
    await ask([() => false, () => true], {})
    expect(store.ttls).toEqual([])
    await ask([undefined, () => false], {})
    expect(store.ttls).toEqual([60])
  })

  it('C6, L1: anything but a function is refused when it is mounted, naming what came', () => {
    const what = name === 'fetch' ? 'withSession' : 'session'
    const known = { fetch: 'renew', node: 'as, renew, onError' }[name] ?? 'as, renew'
    const refusals: [unknown, string][] = [
      [{ renew: false }, 'renew: expected a function, got false'],
      [{ renew: 'no' }, 'renew: expected a function, got "no"'],
      [{ renews: () => false }, `${what}: expected ${known}; got renews`],
      [() => false, `${what}: expected an object, { ${known} }, got a function`],
    ]
    for (const [options, message] of refusals) {
      expect(() => adapter.make(manager, options as never)).toThrow(new TypeError(message))
    }
    adapter.make(manager, { renew: undefined } as never)
  })
})
