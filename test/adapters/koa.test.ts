import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { runInNewContext } from 'node:vm'
import Koa from 'koa'
import { afterEach, describe, expect, it } from 'vitest'
import { session } from '../../src/adapters/koa.ts'
import { createSessionManager, MemoryStore, type Session } from '../../src/core/index.ts'
import { signedIn } from '../support/signed-in.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

describe('Koa', () => {
  let close = () => {}
  afterEach(() => close())

  async function request(
    app: Koa<any, any>,
    path = '/',
    headers: Record<string, string> = {},
  ): Promise<Response> {
    close()
    app.silent = true
    const server = createServer(app.callback())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    close = () => server.close()
    return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
      headers,
      redirect: 'manual',
    })
  }

  it('D5: a middleware of another manager on the same request is refused', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next().catch((error: { code: string }) => (ctx.body = error.code))
    })
    app.use(session()).use(session())
    expect(await (await request(app)).text()).toBe('ERR_SESSION_MOUNTED_TWICE')
  })

  it('S38: mounted twice it acts once: what is written between and behind is one session, saved once, in one cookie', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager({ store, secret })
    const app = new Koa()
    app.use(session(manager)).use(async (ctx, next) => {
      ctx.session.set('between', 1)
      await next()
    })
    app.use(session(manager)).use(async (ctx) => {
      ctx.session.set('behind', 2)
      ctx.body = await ctx.session.entries()
    })
    const response = await request(app)
    expect(await response.json()).toEqual({ between: 1, behind: 2 })
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(store.operations).toEqual(['add'])
  })

  it("D3: through ctx.onerror the error's own headers and the session's cookie go out", async () => {
    const app = new Koa()
    app.use(session()).use((ctx) => {
      ctx.session.set('attempts', 1)
      ctx.throw(401, 'who are you?', { headers: { 'WWW-Authenticate': 'Basic', 'Set-Cookie': 'theirs=1' } })
    })
    const response = await request(app)
    expect([response.status, await response.text()]).toEqual([401, 'who are you?'])
    expect(response.headers.get('www-authenticate')).toBe('Basic')
    expect(response.headers.getSetCookie()).toEqual(['theirs=1', expect.stringMatching(/^__Host-session=/)])
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('vary')).toBe('Cookie')
  })

  it.each<[string, () => unknown]>([
    ['whose headers have only a getter', () => Object.defineProperty(new Error('no'), 'headers', { get: () => ({}) })],
    ['that inherits such headers', () => new (class extends Error { get headers() { return { 'X-Remote': '1' } } })()],
    ['of another realm', () => runInNewContext('new Error("no")')],
  ])('D3, F6: an error %s is answered with its status, and the cookie goes out', async (_, make) => {
    const app = new Koa().use(session())
    app.use((ctx) => {
      ctx.session.set('attempts', 1)
      throw Object.assign(make() as object, { status: 403 })
    })
    const response = await request(app)
    expect(response.status).toBe(403)
    expect(response.headers.getSetCookie()).toHaveLength(1)
  }) // prettier-ignore

  it('D3: an outer middleware that answers the error sends one cookie', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next().catch((error: { status: number }) => {
        ctx.status = error.status
        ctx.body = 'caught'
      })
    })
    app.use(session()).use((ctx) => {
      ctx.session.set('attempts', 1)
      ctx.throw(401)
    })
    const response = await request(app)
    expect([response.status, await response.text()]).toEqual([401, 'caught'])
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  it('D3: a thrown non-Error is a 500, with the cookie of a destroyed session cleared', async () => {
    const { manager, cookie } = await signedIn()
    const app = new Koa()
    app.use(async (ctx, next) => {
      ctx.req.headers.cookie = cookie
      await next()
    })
    app.use(session(manager)).use((ctx) => {
      ctx.session.destroy()
      throw 'not an error'
    })
    const response = await request(app)
    expect(response.status).toBe(500)
    expect(response.headers.getSetCookie()[0]).toMatch(/^__Host-session=; .*Max-Age=0/)
  })

  it("D8: by Koa's own error handling a failed commit is a 503", async () => {
    const store = new TamperedStore(new MemoryStore())
    store.before = failing('add', 2)
    const app = new Koa()
    app.use(session({ store, secret })).use((ctx) => {
      ctx.session.set('n', 1)
      ctx.set('ETag', '"abc"')
      ctx.body = 'the answer'
    })
    const response = await request(app)
    expect([response.status, await response.text()]).toEqual([503, 'Service Unavailable'])
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('etag')).toBeNull()
  })

  it.each([undefined, null])('D3: a thrown %s is a 500, and changes are dropped', async (nothing) => {
    const { manager, store, cookie } = await signedIn()
    const app = new Koa()
    app.use(session(manager)).use(async (ctx) => {
      expect(await ctx.session.get('user')).toBe('u1')
      ctx.session.set('user', 'u2')
      throw nothing
    })
    store.forget()
    expect((await request(app, '/', { cookie })).status).toBe(500)
    expect(store.operations).toEqual(['get'])
  })

  it('S23: one error object for many visitors carries nobody’s cookie to the next', async () => {
    const DENIED = Object.assign(new Error('denied'), { status: 401, expose: true })
    const app = new Koa()
    app.use(session()).use((ctx) => {
      if (ctx.query['attempt']) ctx.session.set('attempts', 1)
      throw DENIED
    })
    expect((await request(app, '/?attempt=1')).headers.getSetCookie()).toHaveLength(1)
    expect((await request(app)).headers.getSetCookie()).toEqual([])
    expect(DENIED).not.toHaveProperty('headers')
  })

  it('S10: a sign-out that failed is visible though the handler answered with a 401', async () => {
    const { manager, store, cookie } = await signedIn()
    store.before = failing('get', 9)
    const app = new Koa()
    app.use(session(manager)).use((ctx) => {
      ctx.session.destroy()
      ctx.throw(401)
    })
    const response = await request(app, '/', { cookie })
    expect([response.status, response.headers.getSetCookie()]).toEqual([503, []])
  })

  it('D8: an outer middleware that answers a failed commit finds nothing of the answer', async () => {
    const store = new TamperedStore(new MemoryStore())
    store.before = failing('add', 2)
    const app = new Koa()
    app.use(async (ctx, next) => {
      ctx.set('X-Frame-Options', 'DENY')
      await next().catch(() => {
        ctx.status = 503
        ctx.body = 'sorry'
      })
    })
    app.use(session({ store, secret })).use((ctx) => {
      ctx.session.set('n', 1)
      ctx.set({ ETag: '"abc"', 'Cache-Control': 'public', 'Content-Disposition': 'attachment' })
      ctx.redirect('/elsewhere')
    })
    const response = await request(app)
    expect([response.status, await response.text()]).toEqual([503, 'sorry'])
    for (const name of ['location', 'etag', 'content-disposition'])
      expect(response.headers.get(name)).toBeNull()
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-frame-options')).toBe('DENY')
  })

  it("H1: the error's own Vary is kept beside ours", async () => {
    const app = new Koa()
    app.use(session()).use(async (ctx) => {
      await ctx.session.get('user')
      ctx.throw(403, 'no', { headers: { Vary: 'Origin', 'Cache-Control': 'max-age=5' } })
    })
    const response = await request(app)
    expect(response.headers.get('vary')).toBe('Origin, Cookie')
    expect(response.headers.get('cache-control')).toBe('max-age=5')
  })

  /** How somebody else answers a request of Koa's, as with Next, Nuxt or a proxy. */
  const answers: [string, (response: ServerResponse) => unknown][] = [
    ['res.end', (response) => response.end('their answer')],
    [
      'res.writeHead',
      (response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('their answer'),
    ],
    ['a stream', (response) => pipeline(Readable.from(['their ', 'answer']), response)],
  ]

  describe.each(answers)('with ctx.respond = false, answered by %s', (_, answer) => {
    async function visit(change: (session: Session) => unknown) {
      const { manager, store, cookie } = await signedIn()
      store.forget()
      const errors: unknown[] = []
      const app = new Koa().use(session(manager))
      app.on('error', (error) => errors.push(error))
      app.use(async (ctx) => {
        await change(ctx['session'])
        ctx.respond = false
        ctx.status = 200
        await answer(ctx.res)
      })
      const ask = async (headers = {}) => {
        const response = await request(app, '/', headers)
        expect([response.status, await response.text()]).toEqual([200, 'their answer'])
        expect(response.headers.getSetCookie()).toEqual([])
        await expect.poll(() => store.operations.length + errors.length).toBeGreaterThan(0)
      }
      return { ask, errors, store, cookie, manager }
    }

    it('D10: no session is begun, and the error is told', async () => {
      const { ask, errors, store } = await visit((session) => session.update('views', (n = 0) => n + 1))
      for (const count of [1, 2, 3]) {
        await ask()
        await expect.poll(() => errors).toHaveLength(count)
      }
      expect(errors[0]).toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
      expect(store.operations).toEqual([])
    })

    it('D10: nobody is signed in under a new token, and the old one stays good', async () => {
      const { ask, errors, manager, cookie } = await visit((session) => {
        session.regenerateId()
        session.set('user', 'admin')
      })
      await ask({ cookie })
      await expect.poll(() => errors).toHaveLength(1)
      expect(await manager.open(cookie).get('user')).toBe('u1')
    })

    it('D10: a session that exists is saved, and destroyed', async () => {
      const saves = await visit((session) => session.set('user', 'u2'))
      await saves.ask({ cookie: saves.cookie })
      await expect.poll(() => saves.manager.open(saves.cookie).get('user')).toBe('u2')
      const ends = await visit((session) => session.destroy())
      await ends.ask({ cookie: ends.cookie })
      await expect.poll(() => ends.manager.open(ends.cookie).exists()).toBe(false)
      expect([saves.errors, ends.errors]).toEqual([[], []])
    })
  })
})
