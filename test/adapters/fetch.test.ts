import { HTTPException } from 'hono/http-exception'
import { describe, expect, it } from 'vitest'
import { withSession } from '../../src/adapters/fetch.ts'
import { createSessionManager, MemoryStore } from '../../src/core/index.ts'
import { signedIn } from '../support/signed-in.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

const request = (cookie?: string) =>
  new Request('http://localhost/', { headers: cookie === undefined ? {} : { cookie } })

describe('fetch', () => {
  it("passes the server's further arguments on", async () => {
    const app = withSession({}, (_request, _session, server: { name: string }, port: number) =>
      Response.json([server.name, port]),
    )
    expect(await (await app(request(), { name: 'bun' }, 3000)).json()).toEqual(['bun', 3000])
  })

  it.each<[string, unknown]>([
    ['an Error', new Error('the handler failed')],
    ['anything else', 'the handler failed'],
  ])('D3, D10: the cookie of a save() is told to be lost when %s is thrown on', async (_, thrown) => {
    const events: string[] = []
    const app = withSession({ onEvent: ({ type }) => events.push(type) }, async (_request, session) => {
      session.set('n', 1)
      await session.save()
      throw thrown
    })
    await expect(app(request())).rejects.toBe(thrown)
    expect(events).toEqual(['created', 'cookie-lost'])
  })

  it('D10: an answer of 101 takes no cookie: no session is begun', async () => {
    const store = new TamperedStore(new MemoryStore())
    const app = withSession({ store, secret }, (_request, session) => {
      session.set('n', 1)
      return Object.defineProperty(new Response(null), 'status', { value: 101 })
    })
    await expect(app(request())).rejects.toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
    expect(store.operations).toEqual([])
  })

  it('a stream is let go when the commit fails, whatever it fails with', async () => {
    const cancelled: string[] = []
    const app = withSession({}, (_request, session) => {
      session.set('n', new Map())
      return new Response(new ReadableStream({ cancel: () => void cancelled.push('cancelled') }))
    })
    await expect(app(request())).rejects.toMatchObject({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })
    expect(cancelled).toEqual(['cancelled'])
  })

  it('a handler that returns nothing has answered by itself: changes to its session are saved', async () => {
    const { manager, cookie } = await signedIn()
    const app = withSession(manager, async (_request, session) => {
      await session.update('n', (n = 0) => n + 1)
      return undefined
    })
    expect(await app(request(cookie))).toBeUndefined()
    expect(await manager.open(cookie).get('n')).toBe(1)
  })

  it('a handler that returns nothing cannot be answered with 503: what fails is thrown on', async () => {
    const { manager, store, cookie } = await signedIn()
    store.before = failing('replace', 2)
    const app = withSession(manager, (_request, session) => {
      session.set('n', 1)
      return undefined
    })
    await expect(app(request(cookie))).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  })

  it('D5: the same manager joins, another one is refused', async () => {
    const manager = createSessionManager<{ n: number }>()
    const inner = withSession(manager, async (_request, session) => {
      await session.update('n', (n = 0) => n + 1)
      return new Response('counted')
    })
    const joined = await withSession(manager, (each) => inner(each))(request())
    expect(joined.headers.getSetCookie()).toHaveLength(1)
    await expect(withSession({}, (each) => inner(each))(request())).rejects.toMatchObject({
      code: 'ERR_SESSION_MOUNTED_TWICE',
    })
  })

  it('S38: mounted twice it acts once: what is written between and behind is one session, saved once, in one cookie', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager({ store, secret })
    const inner = withSession(manager, async (_request, session) => {
      session.set('behind', 2)
      return Response.json(await session.entries())
    })
    const app = withSession(manager, (each, session) => {
      session.set('between', 1)
      return inner(each)
    })
    const response = await app(request())
    expect(await response.json()).toEqual({ between: 1, behind: 2 })
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(store.operations).toEqual(['add'])
  })

  it("D3: an error that brings its own answer is answered with it, the session's cookie included", async () => {
    const app = withSession({}, (_request, session) => {
      session.set('attempts', 1)
      throw new HTTPException(401, { message: 'who are you?' })
    })
    const response = await app(request())
    expect([response.status, await response.text()]).toEqual([401, 'who are you?'])
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(response.headers.get('vary')).toBe('Cookie')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('D3: any other error is thrown on, and a destroy is carried out', async () => {
    const store = new MemoryStore()
    const manager = createSessionManager<{ user: string }>({ store })
    const signIn = withSession(manager, (_request, session) => {
      session.set('user', 'u1')
      return new Response()
    })
    const cookie = (await signIn(request())).headers.getSetCookie()[0]!.split(';')[0]!
    const fails = withSession(manager, (_request, session) => {
      session.destroy()
      throw new Error('the handler failed')
    })
    await expect(fails(request(cookie))).rejects.toThrow('the handler failed')
    const who = withSession(manager, async (_request, session) => new Response(await session.get('user')))
    expect(await (await who(request(cookie))).text()).toBe('')
  })

  it('D8: a failed commit is a 503 that keeps the cookies of others and nothing else of the answer', async () => {
    const store = new TamperedStore(new MemoryStore())
    store.before = failing('add', 2)
    const app = withSession({ store, secret }, (_request, session) => {
      session.set('n', 1)
      return new Response('the answer', { headers: { ETag: '"abc"', 'Set-Cookie': 'theirs=1' } })
    })
    const response = await app(request())
    expect([response.status, await response.text()]).toEqual([503, 'Service Unavailable'])
    expect(response.headers.get('etag')).toBeNull()
    expect(response.headers.getSetCookie()).toEqual(['theirs=1'])
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('D3: an error below 500 without an answer of its own has no response for a cookie, so changes are dropped', async () => {
    const { manager, cookie } = await signedIn()
    const app = withSession(manager, (_request, session) => {
      session.regenerateId()
      session.set('user', 'u2')
      throw Object.assign(new Error('no'), { status: 403 })
    })
    await expect(app(request(cookie))).rejects.toThrow('no')
    const who = withSession(manager, async (_request, session) => new Response(await session.get('user')))
    expect(await (await who(request(cookie))).text()).toBe('u1')
  })

  it('S10: a sign-out that failed is visible though the handler answered with a 401', async () => {
    const { manager, store, cookie } = await signedIn()
    const app = withSession(manager, (_request, session) => {
      session.destroy()
      throw new HTTPException(401)
    })
    store.before = failing('get', 9)
    const response = await app(request(cookie))
    expect([response.status, response.headers.getSetCookie()]).toEqual([503, []])
  })

  it('S23: one response object for many visitors carries nobody’s cookie to the next', async () => {
    const NO_CONTENT = new Response(null, { status: 204 })
    const app = withSession({}, (each, session) => {
      if (each.url.endsWith('/sign-in')) session.set('user', 'u1')
      return NO_CONTENT
    })
    expect((await app(new Request('http://localhost/sign-in'))).headers.getSetCookie()).toHaveLength(1)
    expect((await app(request())).headers.getSetCookie()).toEqual([])
  })

  it('D8: a failed commit takes nothing away from a response object that others share', async () => {
    const { manager, store, cookie } = await signedIn()
    const SHARED = new Response(null, { status: 204, headers: { ETag: '"abc"' } })
    const app = withSession(manager, (_request, session) => {
      session.set('user', 'u2')
      return SHARED
    })
    store.before = failing('get', 9)
    expect((await app(request(cookie))).status).toBe(503)
    expect(SHARED.headers.get('etag')).toBe('"abc"')
    expect(SHARED.headers.get('cache-control')).toBeNull()
  })

  it('D4: the immutable headers of a redirect are copied', async () => {
    const app = withSession({}, (_request, session) => {
      session.set('n', 1)
      return Response.redirect('http://localhost/elsewhere')
    })
    const response = await app(request())
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toBe('http://localhost/elsewhere')
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  const encoded = (text: string) => new TextEncoder().encode(text)
  const streamOf = (text: string) =>
    new ReadableStream({
      start(controller) {
        controller.enqueue(encoded(text))
        controller.close()
      },
    })
  /** As the browser has it: Bun gives a string its type no earlier than on the wire. */
  const served = async (app: (request: Request) => Promise<Response>): Promise<Response> => {
    const { Bun } = globalThis as { Bun?: { serve(options: object): { url: URL; stop(): void } } }
    const server = Bun?.serve({ port: 0, fetch: app })
    if (!server) return app(request())
    const response = await fetch(server.url, { redirect: 'manual' })
    const body = await response.arrayBuffer()
    server.stop()
    return new Response(body.byteLength > 0 ? body : null, response)
  }
  it.each<[string, () => Response, string]>([
    ['a string', () => new Response('text'), 'text'],
    ['a stream', () => new Response(streamOf('größer')), 'größer'],
    ['bytes', () => new Response(encoded('größer')), 'größer'],
    ['a redirect', () => Response.redirect('http://localhost/elsewhere'), ''],
  ])('D4: %s that gets a cookie keeps its status, its type and its bytes', async (_, answer, text) => {
    const without = await served(async () => answer())
    const app = withSession({}, (_request, session) => {
      session.set('n', 1)
      return answer()
    })
    const response = await served(app)
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(response.status).toBe(without.status)
    expect(response.headers.get('content-type')).toBe(without.headers.get('content-type'))
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(encoded(text))
  })

  it('a stream whose answer got a cookie is let go when the visitor leaves', async () => {
    let cancelled = 0
    const app = withSession({}, (_request, session) => {
      session.set('n', 1)
      return new Response(new ReadableStream({ cancel: () => void cancelled++ }))
    })
    await (await app(request())).body!.cancel()
    await expect.poll(() => cancelled).toBe(1)
  })

  it('A1: an untouched answer is handed on as it is', async () => {
    const answer = Response.redirect('http://localhost/elsewhere')
    expect(await withSession({}, () => answer)(request())).toBe(answer)
  })
})
