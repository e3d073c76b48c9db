import { describe, expect, it, vi } from 'vitest'
import { H3, HTTPError, redirect, type H3Config, type H3Event } from 'h3'
import { fromNodeHandler, toNodeHandler } from 'h3/node'
import { createApp, createRouter, eventHandler, toNodeListener, toWebHandler } from 'h3-1'
import { issueSession } from 'holdfast/testing'
import type { SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import { countsViewsAndSignsIn, listen } from '../support/recipes.ts'
import { signedIn } from '../support/signed-in.ts'
import { failing } from '../support/tampered-store.ts'
import { app } from './h3/app.ts'
import { sessions } from './h3/session.ts'
import views from './h3/nuxt/server/api/views.ts'
import sessionsOfNuxt from './h3/nuxt/server/middleware/session.ts'
import { manager as managerOfNuxt, sessionOf } from './h3/nuxt/server/utils/session.ts'

describe('h3 2', () => {
  it('counts views, signs in under a new token, and out, on Node and as a function of fetch', async () => {
    await countsViewsAndSignsIn((path, init) => app.request(path, init))
    const url = await listen(toNodeHandler(app))
    await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
  })

  /** A visitor who is signed in, and handlers that write, and then answer or fail. */
  async function begin(config: H3Config = {}) {
    const { manager, store, cookie } = await signedIn()
    const app = new H3({ silent: true, ...config }).use(sessions(manager as SessionManager<never>))
    const fails = (error: unknown) => async (event: { context: { session: any } }) => {
      await event.context.session.update('views', (n = 0) => n + 1)
      throw error
    }
    app.get('/redirects', ({ context, res }) => {
      context.session.set('views', 2)
      res.headers.set('etag', '"abc"')
      return new Response(null, { status: 302, headers: { Location: '/elsewhere' } })
    })
    app.get('/denies', fails(new HTTPError({ status: 403, message: 'denied' })))
    app.get('/fails', fails(new Error('a mistake')))
    app.get('/map', ({ context }) => context.session.set('views', new Map() as never))
    const ask = (path: string) => app.request(path, { headers: { cookie } })
    return { manager, store, cookie, ask, views: () => manager.open(cookie).get('views') }
  }

  it('D8: a commit that fails is a 503 with nothing of the answer', async () => {
    const { store, ask } = await begin()
    store.before = failing('replace', 9)
    const { status, headers } = await ask('/redirects')
    expect([status, headers.get('cache-control'), headers.get('retry-after')]).toEqual([503, 'no-store', '1'])
    for (const name of ['location', 'etag', 'set-cookie']) expect(headers.get(name)).toBeNull()
  })

  it('F1: a read that fails is a 503, of which onError hears', async () => {
    const told = vi.fn()
    const { store, ask } = await begin({ onError: ({ cause }) => told(cause) })
    store.before = failing('get', 9)
    const { status, headers } = await ask('/denies')
    expect([status, headers.get('cache-control'), headers.get('retry-after')]).toEqual([503, 'no-store', '1'])
    expect(told.mock.calls).toEqual([[expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE' })]])
  })

  it("D3: an HTTPError below 500 is an answer, h3's 404 too, and any other error drops", async () => {
    const { ask, views } = await begin()
    for (const _ of [1, 2]) expect((await ask('/denies')).status).toBe(403)
    expect(await (await ask('/denies')).json()).toMatchObject({ message: 'denied' })
    expect((await ask('/fails')).status).toBe(500)
    expect((await ask('/nowhere')).status).toBe(404)
    expect(await views()).toBe(3)
  })

  it('D3: what onError answers decides, and onResponse sees once what goes out', async () => {
    const seen: (string | null)[] = []
    const { ask, views } = await begin({
      onError: (error, { context }) => {
        context.session.set('failed' as never, true as never)
        return new Response('sorry', { status: error.message === 'a mistake' ? 401 : 500 })
      },
      onResponse: ({ status, headers }) => void seen.push(`${status} ${headers.get('cache-control')}`),
    })
    expect((await ask('/fails')).status).toBe(401)
    expect((await ask('/denies')).status).toBe(500)
    expect(await views()).toBe(1)
    expect(seen).toEqual(['401 private', '500 private'])
  })

  it('D7: data that cannot be saved is a 500, which onError hears of', async () => {
    const told = vi.fn()
    const { ask } = await begin({ onError: ({ cause }) => told(cause) })
    expect((await ask('/map')).status).toBe(500)
    expect(told.mock.calls).toEqual([[expect.objectContaining({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })]])
  })

  it('D11: on Node fromNodeHandler(session()) does the same', async () => {
    const app = new H3().use(fromNodeHandler(session()))
    const sessionOf = ({ runtime }: H3Event) =>
      (runtime!.node!.req as unknown as SessionRequest<{ views: number }>).session
    app.get('/', async (event) => `view ${await sessionOf(event).update('views', (n = 0) => n + 1)}`)
    app.post('/login', (event) => {
      sessionOf(event).signIn('u1')
      return redirect('/')
    })
    app.post('/logout', (event) => {
      sessionOf(event).destroy()
      return redirect('/')
    })
    const url = await listen(toNodeHandler(app))
    await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
  })
})

describe('h3 1, as Nuxt and Nitro 2 have it', () => {
  const goHome = () => new Response(null, { status: 302, headers: { Location: '/' } })
  const routes = createRouter()
    .get('/api/views', views)
    .get(
      '/',
      eventHandler(async (event) => `view ${(await views(event)).views}`),
    )
    .post(
      '/login',
      eventHandler((event) => {
        sessionOf(event).signIn('u1')
        return goHome()
      }),
    )
    .post(
      '/logout',
      eventHandler((event) => {
        sessionOf(event).destroy()
        return goHome()
      }),
    )
    .get(
      '/saves',
      eventHandler((event) => {
        sessionOf(event).set('views', 7)
        return saved(sessionOf(event))
      }),
    )
  const app = createApp().use(sessionsOfNuxt).use(routes)
  const saved = (session: { save(): Promise<void> }): Promise<string> =>
    session.save().then(
      () => 'saved',
      ({ code }) => code,
    )

  it('D11: counts views, signs in under a new token, and out', async () => {
    const url = await listen(toNodeListener(app))
    await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
    expect(await (await fetch(`${url}/api/views`)).json()).toEqual({ views: 1 })
  })

  it('D11: behind toWebHandler, whose response is a mock, a session is read and saved, and none begun', async () => {
    const handle = toWebHandler(app)
    const cookie = await issueSession(managerOfNuxt, { views: 1 })
    const ask = async (path: string, headers: Record<string, string>) =>
      (await handle(new Request(`http://localhost${path}`, { headers }))).text()
    expect(await ask('/', { cookie })).toBe('view 2')
    expect(await managerOfNuxt.open(cookie).get('views')).toBe(1)
    expect(await ask('/saves', { cookie })).toBe('saved')
    expect(await managerOfNuxt.open(cookie).get('views')).toBe(7)
    expect(await ask('/saves', {})).toBe('ERR_SESSION_HEADERS_SENT')
  })
})
