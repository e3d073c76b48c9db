import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createNetServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import express, { type ErrorRequestHandler } from 'express'
import Fastify from 'fastify'
import { createSessionManager, MemoryStore, type SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import { issueSession } from 'holdfast/testing'
import { WebSocket } from 'ws'
import { signedIn } from '../support/signed-in.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { app as expressApp } from './express/express.ts'
import { serve as serveOAuth } from './oauth/form-post.ts'
import { app as shopAndAdmin } from './two-managers/shop-and-admin.ts'
import { streamNews } from './sockets/event-stream.ts'
import { addSessions, app as fastifyApp } from './fastify/fastify.ts'
import { server as nodeServer } from './node-http/node-http.ts'
import { acceptSockets } from './sockets/web-socket.ts'

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

/** A program for Bun, which says by its port that it is up. */
async function startInBun(program: string): Promise<string> {
  const placeholder = createNetServer().listen(0, '127.0.0.1')
  await once(placeholder, 'listening')
  const { port } = placeholder.address() as AddressInfo
  placeholder.close()
  await once(placeholder, 'close')
  const env = { ...process.env, PORT: String(port) }
  const child = spawn('test/runtimes/node_modules/.bin/bun', [program], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  ends.push(() => child.kill())
  const url = `http://localhost:${port}`
  await expect
    .poll(
      () =>
        fetch(`${url}/nowhere`).then(
          () => 'up',
          () => 'down',
        ),
      { timeout: 10_000 },
    )
    .toBe('up')
  return url
}

const starts: Record<string, () => Promise<string>> = {
  Express: () => listen(createServer(expressApp)),
  Fastify: async () => {
    await fastifyApp.ready()
    const server = createServer((request, response) => fastifyApp.routing(request, response))
    return listen(server)
  },
  'node:http': () => listen(nodeServer),
  Elysia: () => startInBun('test/recipes/elysia/elysia.ts'),
  Bun: () => startInBun('test/recipes/bun/bun.ts'),
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
  async Fastify(manager) {
    const app = Fastify()
    addSessions(app, manager)
    app.get('/redirects', async (request, reply) => {
      request.session.set('views', 2)
      return reply.header('ETag', '"abc"').redirect('/elsewhere')
    })
    app.get('/denies', async (request) => {
      await request.session.update('views', (n = 0) => n + 1)
      throw Object.assign(new Error('denied'), { status: 403 })
    })
    await app.ready()
    return listen(createServer((request, response) => app.routing(request, response)))
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

describe('WebSocket', () => {
  it('lets in who is signed in, counts messages, and notices a sign-out', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager<{ messages: number }>({ store, secret })
    const server = createServer()
    const origin = 'https://shop.example'
    acceptSockets(server, manager, origin)
    const url = (await listen(server)).replace('http', 'ws')
    const statusOf = async (headers: Record<string, string>) => {
      const [, response] = await once(
        new WebSocket(url, { headers }).on('error', () => {}),
        'unexpected-response',
      )
      return response.statusCode as number
    }
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    expect(await statusOf({ origin })).toBe(401)
    expect(await statusOf({ origin: 'https://evil.example', cookie })).toBe(403)
    store.before = failing('get')
    expect(await statusOf({ origin, cookie })).toBe(503)

    const socket = new WebSocket(url, { headers: { origin, cookie } })
    await once(socket, 'open')
    for (const count of [1, 2]) {
      const answered = once(socket, 'message')
      socket.send('hello')
      expect(String((await answered)[0])).toBe(`message ${count}`)
    }
    const session = manager.open(cookie)
    expect(await session.get('messages')).toBe(2)
    session.destroy()
    await manager.commit(session, () => ({ status: 200, headers: new Headers() }))
    socket.send('hello')
    expect((await once(socket, 'close'))[0]).toBe(4401)
  })
})

describe('An event stream', () => {
  it('counts through a second session, and ends with the sign-out', async () => {
    const manager = createSessionManager<{ seen: number }>()
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    async function* news() {
      yield 'one'
      yield 'two'
      const session = manager.open(cookie)
      expect(await session.get('seen')).toBe(2)
      session.destroy()
      await manager.commit(session, () => ({ status: 200, headers: new Headers() }))
      yield 'three'
    }
    const stream = streamNews(manager, news)
    expect((await stream(new Request('http://localhost/'))).status).toBe(401)
    const response = await stream(new Request('http://localhost/', { headers: { cookie } }))
    expect(response.headers.get('cache-control')).toBe('private')
    expect(await response.text()).toBe('data: one\n\ndata: two\n\n')
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

describe('OAuth beside a session', () => {
  const provider = {
    pageFor: (state: string) => `https://provider.example/?state=${state}`,
    userOf: async (code: string) => `user of ${code}`,
  }
  const app = serveOAuth(provider)

  async function start() {
    const jar = new Jar()
    const visit = async (path: string, init: RequestInit = {}) => {
      const headers = jar.header(init.method === 'POST')
      return jar.keep(await app(new Request(`http://localhost${path}`, { ...init, headers })))
    }
    await visit('/cart')
    const page = new URL((await visit('/login')).headers.get('Location')!)
    const post = (state: string) =>
      visit('/callback', { method: 'POST', body: new URLSearchParams({ state, code: 'c1' }) })
    return { jar, visit, post, state: page.searchParams.get('state')! }
  }

  it('D5: the state comes back from another site, and the cart outlives the sign-in', async () => {
    const { jar, visit, post, state } = await start()
    expect(jar.names).toEqual(['__Host-oauth', '__Host-session'])
    expect(jar.header(true).cookie).toMatch(/^__Host-oauth=[^;]+$/)
    const { cookie } = jar.header()
    expect((await post(state)).headers.get('Location')).toBe('/welcome')
    expect((await visit('/welcome')).status).toBe(303)
    expect(jar.names).toEqual(['__Host-session'])
    expect(cookie).not.toContain(jar.header().cookie)
    expect(await (await visit('/')).json()).toEqual({ cart: ['rope'], userId: 'user of c1' })
  })

  it('D5: a state that is another one, or was spent, signs nobody in', async () => {
    const wrong = await start()
    expect((await wrong.post('another')).status).toBe(403)
    const spent = await start()
    await spent.post(spent.state)
    expect((await spent.post(spent.state)).status).toBe(403)
    expect((await wrong.visit('/welcome')).status).toBe(403)
    expect(await (await wrong.visit('/')).json()).toEqual({ cart: ['rope'] })
  })
})
