import { Elysia } from 'elysia'
import { describe, expect, it } from 'vitest'
import type { SessionManager } from 'holdfast'
import { countsViewsAndSignsIn, serveInBun } from '../support/recipes.ts'
import { signedIn } from '../support/signed-in.ts'
import { failing } from '../support/tampered-store.ts'
import { app, sessions } from './elysia/elysia.ts'

describe('Elysia', () => {
  it('counts views, signs in under a new token, and out, as a function of fetch on Node', async () => {
    await countsViewsAndSignsIn((path, init) => app.handle(new Request(`http://localhost${path}`, init)))
  })

  it('does so on Bun, by listen', async () => {
    const { url, stop } = await serveInBun('test/recipes/elysia/listen.ts')
    try {
      await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
    } finally {
      stop()
    }
  })

  async function begin() {
    const { manager, store, cookie } = await signedIn()
    const app = new Elysia()
      .use(sessions(manager as SessionManager<never>))
      .get('/redirects', ({ session, set }) => {
        session.set('views', 2)
        set.headers['etag'] = '"abc"'
        return new Response(null, { status: 302, headers: { Location: '/elsewhere' } })
      })
      .get('/denies', async ({ session, status }) => {
        await session.update('views', (n = 0) => n + 1)
        throw status(403, 'denied')
      })
      .get('/fails', async ({ session }) => {
        await session.update('views', (n = 0) => n + 1)
        throw new Error('a mistake')
      })
    const ask = (path: string) => app.handle(new Request(`http://localhost${path}`, { headers: { cookie } }))
    return { store, ask, views: () => manager.open(cookie).get('views') }
  }

  it('D8: a commit that fails is a 503 with nothing of the answer, and so is a read', async () => {
    const { store, ask } = await begin()
    for (const [operation, path] of [
      ['replace', '/redirects'],
      ['get', '/denies'],
    ] as const) {
      store.before = failing(operation, 9)
      const { status, headers } = await ask(path)
      expect([status, headers.get('Cache-Control'), headers.get('Retry-After')]).toEqual([
        503,
        'no-store',
        '1',
      ])
      for (const name of ['Location', 'ETag', 'Set-Cookie']) expect(headers.get(name)).toBeNull()
    }
  })

  it("D3: an error below 500 is an answer, Elysia's 404 too, and any other drops", async () => {
    const { ask, views } = await begin()
    for (const _ of [1, 2]) expect((await ask('/denies')).status).toBe(403)
    expect((await ask('/fails')).status).toBe(500)
    expect((await ask('/nowhere')).status).toBe(404)
    expect(await views()).toBe(2)
  })
})
