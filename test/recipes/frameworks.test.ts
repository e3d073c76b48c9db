import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import express, { type ErrorRequestHandler } from 'express'
import type { SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import { signedIn } from '../support/signed-in.ts'
import { failing } from '../support/tampered-store.ts'
import { app as expressApp } from './express/express.ts'
import { app as shopAndAdmin } from './two-managers/shop-and-admin.ts'
import { handle } from './sveltekit/sveltekit.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

const starts: Record<string, () => Promise<string>> = {
  Express: () => listen(createServer(expressApp)),
}

describe.each(Object.entries(starts))('%s', (_, start) => {
  it('counts views, signs in under a new token, and out', async () => {
    const url = await start()
    let cookie = ''
    const visit = async (path: string, method = 'GET') => {
      const response = await fetch(url + path, { method, redirect: 'manual', headers: { cookie } })
      const [setCookie] = response.headers.getSetCookie()
      cookie = setCookie?.split(';')[0] ?? cookie
      return { status: response.status, setCookie, body: await response.text() }
    }
    for (const view of [1, 2, 3]) expect((await visit('/')).body).toBe(`view ${view}`)
    const anonymous = cookie
    expect((await visit('/login', 'POST')).status).toBe(302)
    expect(cookie).not.toBe(anonymous)
    expect((await visit('/')).body).toBe('view 4')
    expect((await visit('/logout', 'POST')).setCookie).toMatch(/^__Host-session=; .*Max-Age=0/)
    expect((await visit('/')).body).toBe('view 1')
  })
})

/** A shop whose visitor is signed in and whose store then fails, or throws an error of the framework's own. */
const failures: Record<string, (manager: SessionManager<never>) => Promise<string>> = {
  async Express(manager) {
    const app = express().use(session(manager))
    app.get('/redirects', (request, response) => {
      request.session.set('views', 2)
      response.set('ETag', '"abc"').redirect('/elsewhere')
    })
    app.get('/sends-twice', (request, response) => {
      request.session.set('views', 2)
      response.send('once')
      expect(() => response.send('and once more')).toThrow('after they are sent')
    })
    app.get('/denies', async (request) => {
      await request.session.update('views', (n = 0) => n + 1)
      throw Object.assign(new Error('denied'), { status: 403 })
    })
    const answer: ErrorRequestHandler = (error, _request, response, _next) => {
      response.status(error.status ?? 500).send('failed')
    }
    app.use(answer)
    return listen(createServer(app))
  },
}

describe.each(Object.entries(failures))('%s', (_, start) => {
  it('D8: a commit that fails is a 503 with nothing of the answer', async () => {
    const { manager, store, cookie } = await signedIn()
    const url = await start(manager as never)
    store.before = failing('replace', 9)
    const response = await fetch(`${url}/redirects`, { headers: { cookie }, redirect: 'manual' })
    expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store'])
    expect(response.headers.get('retry-after')).toBe('1')
    for (const header of ['location', 'etag', 'set-cookie']) expect(response.headers.get(header)).toBeNull()
    expect(await response.text()).not.toContain('elsewhere')
  })

  it('D3: an error below 500 is an answer: attempts are counted', async () => {
    const { manager, cookie } = await signedIn()
    const url = await start(manager as never)
    for (const _ of [1, 2]) expect((await fetch(`${url}/denies`, { headers: { cookie } })).status).toBe(403)
    expect(await manager.open(cookie).get('views')).toBe(2)
  })
})

describe('Express', () => {
  it('tells who answers twice, as without sessions', async () => {
    const { manager, cookie } = await signedIn()
    const url = await failures['Express']!(manager as never)
    expect(await (await fetch(`${url}/sends-twice`, { headers: { cookie } })).text()).toBe('once')
  })
})

describe('SvelteKit', () => {
  it('has the session in locals, committed into what resolve answers', async () => {
    const visit = (cookie: string) =>
      handle({
        event: { request: new Request('http://localhost/', { headers: { cookie } }), locals: {} },
        async resolve({ locals }) {
          return new Response(`view ${await locals.session!.update('views', (n = 0) => n + 1)}`)
        },
      })
    const first = await visit('')
    const cookie = first.headers.getSetCookie()[0]!.split(';')[0]!
    expect(await (await visit(cookie)).text()).toBe('view 2')
  })
})

/** What a browser would send, of the sites that it comes from: a cookie that is Lax stays behind on a foreign POST. */
class Jar {
  readonly #cookies = new Map<string, string>()

  keep(response: Response): Response {
    for (const cookie of response.headers.getSetCookie()) {
      const [pair] = cookie.split(';')
      const [name, value] = pair!.split('=')
      if (value === '') this.#cookies.delete(name!)
      else this.#cookies.set(name!, cookie)
    }
    return response
  }

  header(isForeignPost = false): { cookie: string } {
    const sent = [...this.#cookies.values()].filter((each) => !isForeignPost || /SameSite=None/i.test(each))
    return { cookie: sent.map((each) => each.split(';')[0]).join('; ') }
  }

  get names(): string[] {
    return [...this.#cookies.keys()].toSorted()
  }
}

describe('A shop and its admin area', () => {
  it('D5: two sign-ins in one browser, which end one by one', async () => {
    const jar = new Jar()
    const visit = async (path: string, method = 'GET') =>
      jar.keep(await shopAndAdmin.request(path, { method, headers: jar.header() }))
    await visit('/cart', 'POST')
    expect(jar.names).toEqual(['__Host-session'])
    expect((await visit('/admin/')).status).toBe(401)
    await visit('/admin/login', 'POST')
    expect(jar.names).toEqual(['__Host-admin', '__Host-session'])
    expect(await (await visit('/admin/')).json()).toEqual({ role: 'editor', cart: ['rope'] })
    await visit('/logout', 'POST')
    expect(await (await visit('/admin/')).json()).toEqual({ role: 'editor', cart: [] })
    await visit('/cart', 'POST')
    await visit('/admin/logout', 'POST')
    expect(jar.names).toEqual(['__Host-session'])
    expect((await visit('/admin/')).status).toBe(401)
  })
})
