import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { afterEach, describe, expect, it } from 'vitest'
import { session } from '../../src/adapters/koa.ts'
import { createSessionManager, MemoryStore } from '../../src/core/index.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

describe('Koa', () => {
  let close = () => {}
  afterEach(() => close())

  async function request(app: Koa<any, any>): Promise<Response> {
    app.silent = true
    const server = createServer(app.callback())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    close = () => server.close()
    return fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  }

  it('D5: a middleware of another manager on the same request is refused', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      await next().catch((error: { code: string }) => (ctx.body = error.code))
    })
    app.use(session()).use(session())
    expect(await (await request(app)).text()).toBe('ERR_SESSION_MOUNTED_TWICE')
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
    const manager = createSessionManager()
    const signedIn = manager.open(undefined)
    signedIn.set('user', 'u1')
    const headers = new Headers()
    await manager.commit(signedIn, { status: 200, headers })
    const app = new Koa()
    app.use(async (ctx, next) => {
      ctx.req.headers.cookie = headers.getSetCookie()[0]!.split(';')[0]!
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
    app.use(session({ store, secret: 'x'.repeat(32) })).use((ctx) => {
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
})
