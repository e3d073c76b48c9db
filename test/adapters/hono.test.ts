import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { describe, expect, it, vi } from 'vitest'
import { session, type SessionVariables } from '../../src/adapters/hono.ts'
import { createSessionManager, MemoryStore, SessionStateError } from '../../src/core/index.ts'
import { signedIn } from '../support/signed-in.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

describe('Hono', () => {
  it('D5: a middleware of another manager on the same request is refused', async () => {
    const app = new Hono().use(session()).use(session())
    app.onError((error, c) => c.text(error instanceof SessionStateError ? error.code : 'other', 500))
    app.get('/', (c) => c.text('served'))
    expect(await (await app.request('/')).text()).toBe('ERR_SESSION_MOUNTED_TWICE')
  })

  it("D5: a sub-application's middleware of the same manager joins", async () => {
    const manager = createSessionManager<{ n: number }>()
    const inner = new Hono().use(session(manager)).get('/', async (c) => {
      await c.var.session.update('n', (n = 0) => n + 1)
      return c.text('counted')
    })
    const app = new Hono().use(session(manager)).route('/inner', inner)
    const response = await app.request('/inner')
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  it('S38: mounted twice it acts once: what is written between and behind is one session, saved once, in one cookie', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager({ store, secret })
    const app = new Hono<{ Variables: SessionVariables }>()
      .use(session(manager))
      .use(async (c, next) => {
        c.var.session.set('between', 1)
        await next()
      })
      .use(session(manager))
      .get('/', async (c) => {
        c.var.session.set('behind', 2)
        return c.json(await c.var.session.entries())
      })
    const response = await app.request('/')
    expect(await response.json()).toEqual({ between: 1, behind: 2 })
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(store.operations).toEqual(['add'])
  })

  it("D3: an HTTPException's answer carries the session's cookie, by Hono's own error handling", async () => {
    const app = new Hono().use(session()).get('/', (c) => {
      c.var.session.set('attempts', 1)
      throw new HTTPException(401, { message: 'who are you?' })
    })
    const response = await app.request('/')
    expect(response.status).toBe(401)
    expect(await response.text()).toBe('who are you?')
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  it("D8: by Hono's own error handling a failed commit is a 503, and headers of other middleware stay", async () => {
    const store = new TamperedStore(new MemoryStore())
    store.before = failing('add', 2)
    const app = new Hono()
      .use(async (c, next) => {
        c.header('X-Frame-Options', 'DENY')
        await next()
      })
      .use(session({ store, secret }))
      .get('/', (c) => {
        c.var.session.set('n', 1)
        c.header('Cache-Control', 'public')
        return c.redirect('/elsewhere')
      })
    const response = await app.request('/')
    expect(response.status).toBe(503)
    expect(await response.text()).toBe('Service Unavailable')
    expect(Object.fromEntries(response.headers)).toEqual({
      'cache-control': 'no-store',
      'content-type': 'text/plain;charset=UTF-8',
      'retry-after': '1',
      vary: 'Cookie',
      'x-frame-options': 'DENY',
    })
  })

  it.each([401, 500] as const)(
    "D3: what onError answers decides, here %i, and not the error's own status",
    async (status) => {
      const store = new TamperedStore(new MemoryStore())
      const app = new Hono<{ Variables: SessionVariables }>().use(session({ store, secret }))
      app.onError((_, c) => {
        c.var.session.set('flash', 'wrong')
        return c.text('answered', status)
      })
      app.get('/', (c) => {
        c.var.session.set('attempts', 1)
        throw Object.assign(new Error('another server says so'), { status: status === 401 ? 502 : 429 })
      })
      const response = await app.request('/')
      expect(response.status).toBe(status)
      expect(response.headers.getSetCookie()).toHaveLength(status === 401 ? 1 : 0)
      expect(store.operations).toEqual(status === 401 ? ['add'] : [])
    },
  )

  it('D3: a thrown non-Error is thrown on, and changes are dropped', async () => {
    const store = new TamperedStore(new MemoryStore())
    const app = new Hono().use(session({ store, secret })).get('/', (c) => {
      c.var.session.set('n', 1)
      throw 'not an error'
    })
    await expect(app.request('/')).rejects.toBe('not an error')
    expect(store.operations).toEqual([])
  })

  it('S23: one response object for many visitors carries nobody’s cookie to the next', async () => {
    const NO_CONTENT = new Response(null, { status: 204 })
    const app = new Hono()
      .use(session())
      .get('/sign-in', (c) => (c.var.session.set('user', 'u1'), NO_CONTENT))
      .get('/plain', () => NO_CONTENT)
    expect((await app.request('/sign-in')).headers.getSetCookie()).toHaveLength(1)
    expect((await app.request('/plain')).headers.getSetCookie()).toEqual([])
  })

  it('S10: a sign-out that failed is visible though the handler answered with a 401', async () => {
    const { manager, store, cookie } = await signedIn()
    const app = new Hono().use(session(manager)).get('/', (c) => {
      c.var.session.destroy()
      throw new HTTPException(401)
    })
    store.before = failing('get', 9)
    const response = await app.request('/', { headers: { cookie } })
    expect([response.status, response.headers.getSetCookie()]).toEqual([503, []])
  })

  it('D8: a body that nobody will read is cancelled', async () => {
    let isCancelled = false
    const store = new TamperedStore(new MemoryStore())
    store.before = failing('add', 2)
    const app = new Hono().use(session({ store, secret })).get('/', (c) => {
      c.var.session.set('n', 1)
      return c.body(new ReadableStream({ cancel: () => void (isCancelled = true) }))
    })
    expect((await app.request('/')).status).toBe(503)
    expect(isCancelled).toBe(true)
  })

  it('H2: a failed commit whose earlier save set the cookie is not stored', async () => {
    const store = new TamperedStore(new MemoryStore())
    const app = new Hono().use(session({ store, secret })).get('/', async (c) => {
      c.var.session.set('n', 1)
      await c.var.session.save()
      c.var.session.set('n', new Map())
      return c.text('the answer', 200, { 'Cache-Control': 'public' })
    })
    app.onError((_error, c) => c.text('sorry', 500))
    const response = await app.request('/')
    expect([response.status, await response.text()]).toEqual([500, 'sorry'])
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('D4: the immutable answer of another server keeps its body and gets the cookie', async () => {
    const upstream = new Hono().get('/', (c) => c.text('from upstream', 200, { 'Set-Cookie': 'theirs=1' }))
    const app = new Hono().use(session()).get('/', async (c) => {
      c.var.session.set('n', 1)
      const { body, headers } = await upstream.request('/')
      return immutable(new Response(body, { headers }))
    })
    const response = await app.request('/')
    expect(await response.text()).toBe('from upstream')
    expect(response.headers.getSetCookie()).toHaveLength(2)
    expect(response.headers.get('vary')).toBe('Cookie')
  })

  /** How a handler answers past Hono on Node. */
  const answers: [string, (response: ServerResponse) => unknown][] = [
    ['end', (response) => response.end('their answer')],
    [
      'writeHead',
      (response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('their answer'),
    ],
    ['a stream', (response) => pipeline(Readable.from(['their ', 'answer']), response)],
  ]

  it('D10: RESPONSE_ALREADY_SENT before the head has left keeps the old token, too', async () => {
    const { manager, store, cookie } = await signedIn()
    store.forget()
    const app = new Hono<{ Bindings: HttpBindings }>().use(session(manager)).get('/', (c) => {
      c.env.outgoing.on('error', () => {})
      c.var.session.regenerateId()
      setTimeout(() => c.env.outgoing.end('their answer'), 20)
      return RESPONSE_ALREADY_SENT
    })
    app.onError(() => RESPONSE_ALREADY_SENT)
    const server = createServer(getRequestListener(app.fetch)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    expect((await fetch(url, { headers: { cookie } })).headers.getSetCookie()).toEqual([])
    expect(store.operations).toEqual(['get'])
    expect(await manager.open(cookie).exists()).toBe(true)
    server.close()
  })

  it.each(answers)(
    'D10: RESPONSE_ALREADY_SENT after %s begins no session, and saves one that exists',
    async (_, answer) => {
      const { manager, store, cookie } = await signedIn()
      store.forget()
      const errors: unknown[] = []
      const app = new Hono<{ Bindings: HttpBindings }>().use(session(manager)).get('/', async (c) => {
        // @hono/node-server ends it once more, which is an event on Deno, and on Node nothing.
        c.env.outgoing.on('error', () => {})
        c.var.session.set('user', 'u2')
        await answer(c.env.outgoing)
        return RESPONSE_ALREADY_SENT
      })
      app.onError((error) => {
        errors.push(error)
        return RESPONSE_ALREADY_SENT
      })
      // @hono/node-server says there that the error's answer could not be sent.
      const told = vi.spyOn(console, 'error').mockReturnValue()
      const server = createServer(getRequestListener(app.fetch)).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      const stranger = await fetch(url)
      expect([await stranger.text(), stranger.headers.getSetCookie()]).toEqual(['their answer', []])
      await expect.poll(() => errors).toEqual([expect.objectContaining({ code: 'ERR_SESSION_HEADERS_SENT' })])
      expect(store.operations).toEqual([])
      await (await fetch(url, { headers: { cookie } })).text()
      await expect.poll(() => manager.open(cookie).get('user')).toBe('u2')
      expect(errors).toHaveLength(1)
      expect(told).toHaveBeenCalledOnce()
      told.mockRestore()
      server.close()
    },
  )
})

/** As `fetch` hands them out: every change throws. */
function immutable(response: Response): Response {
  for (const method of ['append', 'set', 'delete'] as const) {
    response.headers[method] = () => {
      throw new TypeError('immutable')
    }
  }
  return response
}
