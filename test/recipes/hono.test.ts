import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono, type MiddlewareHandler } from 'hono'
import { handle } from 'hono/aws-lambda'
import { cache } from 'hono/cache'
import { hc } from 'hono/client'
import { every } from 'hono/combine'
import { csrf } from 'hono/csrf'
import { etag } from 'hono/etag'
import { HTTPException } from 'hono/http-exception'
import { secureHeaders } from 'hono/secure-headers'
import { timeout } from 'hono/timeout'
import { afterEach, beforeAll, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { createSessionManager, MemoryStore } from 'holdfast'
import { session, type SessionVariables } from 'holdfast/hono'
import { issueSession, readSession } from 'holdfast/testing'
import { WebSocket } from 'ws'
import { startMemcached, type Memcached } from '../support/memcached.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { server } from './hono/already-sent.ts'
import { app as shop, type App } from './hono/app.ts'
import { createShop } from './hono/errors.ts'
import { members } from './hono/members.ts'
import { manager } from './hono/sessions.ts'
import { app as streamed, manager as ofStreamed } from './hono/streamed.tsx'

/** As a text, since it is compiled with other options: tsconfig.apart.json. */
const webSocket: string = './hono/web-socket.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const end of ends.splice(0)) await end()
})

/** The Cookie header that a browser sends after this response. */
function cookieOf(response: Response): string {
  return response.headers.getSetCookie()[0]!.split(';')[0]!
}

describe('Routes in files of their own', () => {
  it('have the session of the app that mounts them', async () => {
    const first = await shop.request('/cart/rope', { method: 'POST' })
    const cookie = cookieOf(first)
    await shop.request('/cart/hook', { method: 'POST', headers: { cookie } })
    const cart = await shop.request('/cart', { headers: { cookie } })
    expect(await cart.json()).toEqual({ cart: ['rope', 'hook'] })
  })

  it('are asked by a client that knows their types', async () => {
    vi.stubGlobal('location', { origin: 'http://localhost' })
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => shop.request(url, init))
    ends.push(() => vi.unstubAllGlobals())
    const { addToCart } = await import('./hono/client.ts')
    expect(await addToCart('rope')).toEqual(['rope'])

    const client = hc<App>('http://localhost')
    const answer = await (await client.cart.$get()).json()
    expectTypeOf(answer).toEqualTypeOf<{ cart: string[] }>()
    // @ts-expect-error there is no such route
    void client.orders
  })

  it('made by a factory have their session without anybody who mounts it', async () => {
    const order = (cookie: string) => members.request('/order', { method: 'POST', headers: { cookie } })
    expect((await order('')).status).toBe(401)
    const cookie = await issueSession(manager, { cart: ['rope'] }, { user: 'u1' })
    expect(await (await order(cookie)).text()).toBe('ordered: rope')
    expect(await readSession(manager, cookie)).toEqual({})
    const again = await order(cookie)
    expect([again.status, await again.text()]).toEqual([409, 'nothing to order'])
    const both = new Hono().use(session(manager)).route('/', members)
    const other = { cookie: await issueSession(manager, { cart: ['hook'] }, { user: 'u1' }) }
    expect((await both.request('/order', { method: 'POST', headers: other })).status).toBe(200)
  })
})

describe('What Hono puts together', () => {
  const open = () => {
    const manager = createSessionManager<{ views: number }>()
    const below = new Hono().use(session(manager)).get('/', async (c) => {
      return c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`)
    })
    const counting: MiddlewareHandler<{ Variables: SessionVariables<{ views: number }> }> = async (
      c,
      next,
    ) => {
      await c.var.session.update('views', (n = 0) => n + 1)
      await next()
    }
    return { manager, below, around: new Hono().use(session(manager)).use(counting) }
  }

  it('D5: is one session where an app goes below another by route, and two by mount', async () => {
    const { around, below } = open()
    const routed = await around.route('/below', below).request('/below')
    expect([await routed.text(), routed.headers.getSetCookie().length]).toEqual(['view 2', 1])
    const mounted = await open().around.mount('/below', below.fetch).request('/below')
    expect([await mounted.text(), mounted.headers.getSetCookie().length]).toEqual(['view 1', 2])
  })

  it('every and some hide the type, and nothing else', async () => {
    const { manager } = open()
    new Hono().use(every(session(manager))).get('/', async (c) => {
      // @ts-expect-error hidden
      void c.var.session
      return c.body(null)
    })
    const app = new Hono<{ Variables: SessionVariables<{ views: number }> }>()
    app.use(every(session(manager), csrf(), secureHeaders()))
    app.get('/', async (c) => c.text(`view ${await c.var.session.update('views', (n = 0) => n + 1)}`))
    const first = await app.request('/')
    const second = await app.request('/', { headers: { cookie: cookieOf(first) } })
    expect(await second.text()).toBe('view 2')
  })

  it.each(['outside', 'inside'])('D3: a timeout that strikes drops changes: %s', async (where) => {
    const { manager } = open()
    const both: MiddlewareHandler<any>[] = [timeout(5), session(manager)]
    const app = new Hono<{ Variables: SessionVariables<{ views: number }> }>()
    for (const each of where === 'outside' ? both : both.toReversed()) app.use(each)
    let resolve!: (what: unknown) => void
    const late = new Promise((resolved) => (resolve = resolved))
    app.get('/', async (c) => {
      await c.var.session.update('views', (n = 0) => n + 1)
      await new Promise((done) => setTimeout(done, 20))
      try {
        resolve(c.var.session.set('views', 9))
      } catch (error) {
        resolve(error)
      }
      return c.text('too late')
    })
    const cookie = await issueSession(manager, { views: 1 })
    expect((await app.request('/', { headers: { cookie } })).status).toBe(504)
    const refused =
      where === 'inside' ? expect.objectContaining({ code: 'ERR_SESSION_COMMITTED' }) : undefined
    expect(await late).toEqual(refused)
    await new Promise(setImmediate)
    expect(await readSession(manager, cookie)).toEqual({ views: 1 })
  })
})

describe('An error handler of your own', () => {
  const begin = async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager<{ views: number }>({ store, secret, onEvent: () => {} })
    return { store, manager, cookie: await issueSession(manager, { views: 1 }) }
  }

  it.each(['get', 'replace'] as const)(
    'leaves the 503 of a store that fails at %s, which another makes a 500',
    async (operation) => {
      const { store, manager, cookie } = await begin()
      const shop = createShop(manager)
      const hasty = createShop(manager).onError((_error, c) => c.text('Something went wrong', 500))
      for (const [app, status, retryAfter] of [
        [shop, 503, '1'],
        [hasty, 500, null],
      ] as const) {
        store.before = failing(operation, 9)
        const response = await app.request('/', { headers: { cookie } })
        expect([response.status, response.headers.get('Retry-After')]).toEqual([status, retryAfter])
        expect(response.headers.get('Set-Cookie')).toBeNull()
        store.forget()
      }
      expect(await (await shop.request('/', { headers: { cookie } })).text()).toBe('view 2')
    },
  )

  it("answers the application's own errors, and leaves HTTPException", async () => {
    const { manager } = await begin()
    const app = createShop(manager)
    app.get('/denied', () => {
      throw new HTTPException(403)
    })
    app.get('/fails', () => {
      throw new Error('a mistake')
    })
    expect((await app.request('/denied')).status).toBe(403)
    const told = vi.spyOn(console, 'error').mockReturnValue()
    const failed = await app.request('/fails')
    expect(told.mock.lastCall).toMatchObject([{ message: 'a mistake' }])
    expect([failed.status, await failed.text()]).toEqual([500, '<h1>Something went wrong</h1>'])
  })
})

describe('etag and cache', () => {
  const kept = new Map<string, Response>()
  let app: Hono
  beforeAll(async () => {
    // As Deno and Workers have it, and Node has not.
    const opened = {
      match: async (key: string) => kept.get(key)?.clone(),
      put: async (key: string, response: Response) => void kept.set(key, response),
    }
    vi.stubGlobal('caches', { open: async () => opened })
    app = (await import('./hono/caching.ts')).app as unknown as Hono
    return () => vi.unstubAllGlobals()
  })

  /** A page whose text is the same for all, and which changes the session. */
  const inOrder = (order: 'etag first' | 'session first') => {
    const manager = createSessionManager<{ views: number }>()
    const both: MiddlewareHandler<any>[] = [session(manager), etag()]
    const app = new Hono<{ Variables: SessionVariables<{ views: number }> }>()
    for (const each of order === 'session first' ? both : both.toReversed()) app.use(each)
    app.get('/begin', async (c) => {
      await c.var.session.update('views', (n = 0) => n + 1)
      return c.text('the page')
    })
    app.get('/end', (c) => {
      c.var.session.destroy()
      return c.text('the page')
    })
    const again = async (path: string, cookie: string) => {
      const tag = (await app.request(path)).headers.get('ETag')!
      return app.request(path, { headers: { 'If-None-Match': tag, cookie } })
    }
    return { manager, again }
  }

  it('a 304 carries the cookie when etag comes after the session', async () => {
    const { manager, again } = inOrder('session first')
    const begun = await again('/begin', '')
    expect([begun.status, begun.headers.get('Cache-Control')]).toEqual([304, 'no-store'])
    expect(await readSession(manager, begun)).toEqual({ views: 1 })
    const ended = await again('/end', cookieOf(begun))
    expect([ended.status, ended.headers.get('Set-Cookie')]).toEqual([
      304,
      expect.stringContaining('Max-Age=0'),
    ])
  })

  it('a 304 loses the cookie when etag comes before', async () => {
    const { again } = inOrder('etag first')
    const begun = await again('/begin', '')
    expect([begun.status, begun.headers.get('Set-Cookie')]).toEqual([304, null])
  })

  it('the cache keeps what is for everybody, and nothing of a session, when it comes before', async () => {
    const login = await app.request('/login', { method: 'POST' })
    const headers = { cookie: cookieOf(login) }
    expect(await (await app.request('/greeting', { headers })).text()).toBe('Hello, u1')
    expect(await (await app.request('/greeting')).text()).toBe('Hello, stranger')
    for (const _ of ['kept', 'from the cache']) {
      const page = await app.request('/', { headers })
      expect([page.headers.get('Cache-Control'), page.headers.get('Vary')]).toEqual([
        'public, max-age=60',
        null,
      ])
      expect(page.headers.get('ETag')).toMatch(/^"/)
    }
    expect([...kept.keys()].map((key) => new URL(key).searchParams.get('__hono_cache_key'))).toEqual([
      'http://localhost/',
    ])
  })

  it("the cache gives one visitor's page to the next when it comes after", async () => {
    const manager = createSessionManager()
    const app = new Hono().use(session(manager)).use(cache({ cacheName: 'shop', wait: true }))
    app.get('/account', async (c) => c.text(String(await c.var.session.userId())))
    const headers = { cookie: await issueSession(manager, {}, { user: 'u1' }) }
    await app.request('/account', { headers })
    expect(await (await app.request('/account')).text()).toBe('u1')
  })
})

describe('A response that Node has sent', () => {
  it('D10: carries the cookie of the session that stands around it, which is saved before', async () => {
    ends.push(() => server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://localhost:${(server.address() as AddressInfo).port}`
    const first = await fetch(url)
    expect(await first.text()).toBe('view 1')
    const second = await fetch(url, { headers: { cookie: cookieOf(first) } })
    expect(await second.text()).toBe('view 2')
    server.closeAllConnections()
  })
})

describe('A WebSocket', () => {
  it('lets in who is signed in, counts messages, and notices a sign-out', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager<{ messages: number }>({ store, secret, onEvent: () => {} })
    const origin = 'https://shop.example'
    const { startChat } = await import(webSocket)
    const server: Server = startChat(manager, origin, 0)
    ends.push(() => server.close())
    await once(server, 'listening')
    const url = `ws://localhost:${(server.address() as AddressInfo).port}/socket`
    const statusOf = async (headers: Record<string, string>) => {
      const socket = new WebSocket(url, { headers }).on('error', () => {})
      const [, response] = await once(socket, 'unexpected-response')
      return response.statusCode as number
    }
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    expect(await statusOf({ origin })).toBe(401)
    expect(await statusOf({ origin: 'https://evil.example', cookie })).toBe(403)
    store.before = failing('get')
    expect(await statusOf({ origin, cookie })).toBe(503)

    const open = async () => {
      const socket = new WebSocket(url, { headers: { origin, cookie } })
      await once(socket, 'open')
      return socket
    }
    const socket = await open()
    for (const count of [1, 2]) {
      socket.send('hello')
      expect(String((await once(socket, 'message'))[0])).toBe(`message ${count}`)
    }
    expect(await manager.open(cookie).get('messages')).toBe(2)
    const unlucky = await open()
    store.before = failing('get')
    unlucky.send('hello')
    expect((await once(unlucky, 'close'))[0]).toBe(1011)
    const flooding = await open()
    for (let count = 0; count < 2000; count++) flooding.send('')
    expect((await once(flooding, 'close'))[0]).toBe(1008)
    const answers: unknown[] = []
    const early = (await open()).on('message', (answer) => answers.push(answer))
    store.before = async (operation) => {
      if (operation !== 'replace') return
      store.forget()
      const meanwhile = manager.open(cookie)
      meanwhile.destroy()
      await meanwhile.save()
    }
    early.send('hello')
    expect((await once(early, 'close'))[0]).toBe(1011)
    expect(answers).toEqual([])
    socket.send('hello')
    expect((await once(socket, 'close'))[0]).toBe(4401)
  })
})

describe('A streamed page', () => {
  it('has its session saved before the first byte, and writes later through a second one', async () => {
    const first = await streamed.request('/')
    const cookie = cookieOf(first)
    expect(first.headers.get('Cache-Control')).toBe('no-store')
    expect(await first.text()).toMatch(/view 1.*a moment.*ten metres of rope/s)
    const second = await streamed.request('/', { headers: { cookie } })
    expect(second.headers.get('Cache-Control')).toBe('private')
    expect(await second.text()).toMatch(/view 2.*ten metres of rope/s)
    expect(await readSession(ofStreamed, cookie)).toEqual({ views: 2, offers: 1 })
  })

  it.each(['in-suspense', 'bare'])(
    'D1: refuses what a component writes later, and says nothing to the visitor: %s',
    async (where) => {
      const { createLate } = await import('./late.tsx')
      const manager = createSessionManager<{ views: number }>()
      const cookie = await issueSession(manager, { views: 1 })
      vi.spyOn(console, 'log').mockReturnValue()
      const told = vi.spyOn(console, 'trace').mockReturnValue()
      const page = await createLate(manager).request(`/${where}`, { headers: { cookie } })
      const body = await page.text()
      expect(told.mock.lastCall).toMatchObject([{ code: 'ERR_SESSION_COMMITTED' }])
      expect([page.status, body.includes('view')]).toEqual([200, false])
      expect(page.headers.get('Vary')).toBeNull()
      expect(body.includes('a moment')).toBe(where === 'in-suspense')
      expect(await readSession(manager, cookie)).toEqual({ views: 1 })
    },
  )
})

describe('AWS Lambda', () => {
  type Result = { statusCode: number; body: string; cookies?: string[] } & {
    [kind in 'headers' | 'multiValueHeaders']?: Record<string, string | string[]>
  }
  let invoke: (event: object) => Promise<Result>
  let memcached: Memcached
  beforeAll(async () => {
    memcached = await startMemcached()
    vi.stubEnv('SESSION_STORE', memcached.address)
    vi.stubEnv('SESSION_SECRET', secret)
    const { handler } = await import('./hono/lambda.ts')
    invoke = (event) => handler(event as never) as Promise<Result>
    return async () => {
      vi.unstubAllEnvs()
      await memcached.stop()
    }
  })

  /** What each of them sends for a GET of `/`, shortened. */
  const events: Record<string, (cookie?: string) => object> = {
    'API Gateway 2 and function URLs': (cookie) => ({
      version: '2.0',
      rawPath: '/',
      rawQueryString: '',
      headers: { host: 'shop.example' },
      ...(cookie && { cookies: ['theme=dark', cookie] }),
      requestContext: { domainName: 'shop.example', http: { method: 'GET', path: '/' } },
    }),
    'API Gateway 1': (cookie) => ({
      httpMethod: 'GET',
      path: '/',
      headers: { Host: 'shop.example', ...(cookie && { Cookie: `theme=dark; ${cookie}` }) },
      multiValueHeaders: { Host: ['shop.example'], ...(cookie && { Cookie: [`theme=dark; ${cookie}`] }) },
      requestContext: { domainName: 'shop.example', httpMethod: 'GET', stage: 'prod' },
    }),
    'a load balancer': (cookie) => ({
      httpMethod: 'GET',
      path: '/',
      headers: { host: 'shop.example', ...(cookie && { cookie: `theme=dark; ${cookie}` }) },
      requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b' } },
    }),
    'a load balancer with multi value headers': (cookie) => ({
      httpMethod: 'GET',
      path: '/',
      multiValueHeaders: { host: ['shop.example'], ...(cookie && { cookie: [`theme=dark; ${cookie}`] }) },
      requestContext: { elb: { targetGroupArn: 'arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b' } },
    }),
  }

  it.each(Object.entries(events))('counts views behind %s', async (_, event) => {
    const first = await invoke(event())
    expect([first.statusCode, first.body]).toEqual([200, 'view 1'])
    const { cookies, headers, multiValueHeaders } = first
    const [setCookie] = [cookies ?? multiValueHeaders?.['set-cookie'] ?? headers?.['set-cookie'] ?? []].flat()
    expect(setCookie).toMatch(/^__Host-session=.*; Secure/)
    const second = await invoke(event(setCookie!.split(';')[0]))
    expect(second.body).toBe('view 2')
    expect(JSON.stringify(second)).not.toContain('__Host-session')
    expect(await memcached.text('stats items')).toContain('number')
  })

  it('has one cookie of each answer arrive behind a load balancer without multi value headers', async () => {
    const app = new Hono().use(session<{ views: number }>()).get('/', (c) => {
      c.header('Set-Cookie', 'theme=dark')
      c.var.session.set('views', 1)
      return c.text('ok')
    })
    const answer = async (kind: string) => JSON.stringify(await handle(app)(events[kind]!() as never))
    const [one, both] = [
      await answer('a load balancer'),
      await answer('a load balancer with multi value headers'),
    ]
    expect([one.includes('theme='), one.includes('__Host-session=')]).toEqual([true, false])
    expect([both.includes('theme='), both.includes('__Host-session=')]).toEqual([true, true])
  })
})
