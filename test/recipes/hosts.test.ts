import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import express from 'express'
import expressWs from 'express-ws'
import Fastify from 'fastify'
import { createApp, createRouter, eventHandler, fromNodeMiddleware, toNodeListener, toWebHandler } from 'h3-1'
import { toNodeHandler } from 'h3/node'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import { issueSession, readSession } from 'holdfast/testing'
import { createMocks } from 'node-mocks-http'
import { Server as SocketServer } from 'socket.io'
import { io as connectSocket } from 'socket.io-client'
import supertest from 'supertest'
import { WebSocket, WebSocketServer } from 'ws'
import { makeAuthority, type Authority } from '../support/certificates.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { addSessions } from './fastify/fastify.ts'
import { app as h3App } from './h3/h3.ts'
import { startChat } from './sockets/socket-io.ts'

type Data = { userId: string; messages: number }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A manager, its events, and the cookie of a visitor who is signed in. */
async function begin() {
  const events: string[] = []
  const store = new TamperedStore(new MemoryStore())
  const manager = createSessionManager<Data>({ store, secret, onEvent: ({ type }) => events.push(type) })
  const cookie = await issueSession(manager, { userId: 'u1' }, { user: 'u1' })
  events.length = 0
  store.forget()
  return { manager, store, events, cookie, read: () => manager.open(cookie).entries() }
}

const sessionOf = (request: object) => (request as SessionRequest<Data>).session

describe('ws', () => {
  it('D11, L3: reads the session on an upgrade, and tells what is unsaved at the end', async () => {
    const { manager, events, cookie, read } = await begin()
    const sessions = session(manager)
    const sockets = new WebSocketServer({ noServer: true })
    const server = createServer()
    server.on('upgrade', (request, socket, head) => {
      sessions(request, {}, () =>
        sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit('connection', ws, request)),
      )
    })
    sockets.on('connection', (socket, request) => {
      socket.on('message', async (text) => {
        await sessionOf(request).update('messages', (n = 0) => n + 1)
        if (String(text) === 'save') await sessionOf(request).save()
        socket.send(String(await sessionOf(request).get('userId')))
      })
    })
    const url = (await listen(server)).replace('http', 'ws')
    const socket = new WebSocket(url, { headers: { cookie } })
    await once(socket, 'open')
    for (const text of ['save', 'drop']) {
      socket.send(text)
      expect(String((await once(socket, 'message'))[0])).toBe('u1')
    }
    socket.close()
    await expect.poll(() => events).toContain('dropped')
    expect(await read()).toEqual({ userId: 'u1', messages: 1 })
  })
})

describe.each(['polling', 'websocket'])('Socket.IO 4 by %s', (transport) => {
  const transports = [transport as 'polling' | 'websocket']
  const open = (url: string, cookie = '') => {
    const socket = connectSocket(url, {
      transports,
      extraHeaders: { cookie },
      reconnection: false,
      forceNew: true,
    })
    ends.push(() => socket.disconnect())
    return socket
  }
  const outcome = (socket: ReturnType<typeof open>) =>
    new Promise<string>((resolve) => {
      socket.on('connect', () => resolve('connected'))
      socket.on('connect_error', ({ message }) => resolve(message))
    })

  it('D11: lets in who is signed in, counts messages, and notices a sign-out', async () => {
    const { manager, store, cookie, read } = await begin()
    const server = createServer()
    const io = startChat(server, manager)
    ends.push(() => io.close())
    const url = await listen(server)
    expect(await outcome(open(url))).toBe('signed out')
    store.before = failing('get')
    expect(await outcome(open(url, cookie))).toBe('try again')
    store.forget()
    const socket = open(url, cookie)
    expect(await outcome(socket)).toBe('connected')
    for (const count of [1, 2]) expect(await socket.emitWithAck('message')).toBe(count)
    expect(await read()).toEqual({ userId: 'u1', messages: 2 })
    const signedOut = manager.open(cookie)
    signedOut.destroy()
    await signedOut.save()
    const left = new Promise((resolve) => socket.on('disconnect', resolve))
    socket.emit('message')
    expect(await left).toBe('io server disconnect')
  })

  it('D11: through io.use and {} the session is read, and saved by save()', async () => {
    const { manager, events, cookie, read } = await begin()
    const sessions = session(manager)
    const server = createServer()
    const io = new SocketServer(server)
    ends.push(() => io.close())
    io.use((socket, next) => sessions(socket.request, {}, next))
    io.on('connection', (socket) => {
      const session = sessionOf(socket.request)
      socket.on('save', async (answer) => {
        await session.update('messages', (n = 0) => n + 1)
        await session.save()
        answer(await session.get('userId'))
      })
      socket.on('forget', (answer) => answer(session.set('messages', 9)))
    })
    const socket = open(await listen(server), cookie)
    expect(await outcome(socket)).toBe('connected')
    expect(await socket.emitWithAck('save')).toBe('u1')
    await socket.emitWithAck('forget')
    socket.disconnect()
    // By polling the handshake's connection is long closed: nobody hears of an end.
    if (transport === 'websocket') await expect.poll(() => events).toContain('dropped')
    expect(await read()).toEqual({ userId: 'u1', messages: 1 })
  })
})

describe('express-ws', () => {
  it('D11, L3: sockets and pages share a session; what a socket leaves unsaved is told', async () => {
    const { manager, events, cookie, read } = await begin()
    const server = createServer()
    const { app } = expressWs(express(), server)
    app.use(session(manager))
    app.get('/', async (request, response) => {
      response.send(String(await sessionOf(request).update('messages', (n = 0) => n + 1)))
    })
    app.ws('/socket', (socket, request) => {
      socket.on('message', async (text) => {
        const messages = await sessionOf(request).update('messages', (n = 0) => n + 1)
        const saved = String(text) === 'save' ? sessionOf(request).save() : undefined
        socket.send(
          await Promise.resolve(saved).then(
            () => String(messages),
            ({ code }) => code,
          ),
        )
      })
    })
    server.on('request', app)
    const url = await listen(server)
    expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('1')
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket`, { headers: { cookie } })
    await once(socket, 'open')
    for (const [text, count] of [
      ['save', '2'],
      ['drop', '3'],
    ] as const) {
      socket.send(text)
      expect(String((await once(socket, 'message'))[0])).toBe(count)
    }
    socket.close()
    const stranger = new WebSocket(`${url.replace('http', 'ws')}/socket`)
    await once(stranger, 'open')
    stranger.send('save')
    expect(String((await once(stranger, 'message'))[0])).toBe('ERR_SESSION_HEADERS_SENT')
    await expect.poll(() => events).toContain('dropped')
    expect(await read()).toEqual({ userId: 'u1', messages: 2 })
  })
})

describe.each(['http:', 'https:'])('http2 by %s', (scheme) => {
  let authority: Authority
  beforeAll(async () => {
    authority = await makeAuthority()
  })
  afterAll(() => authority.remove())

  type Handler = (session: Session<Data>, response: http2.Http2ServerResponse) => unknown

  async function serve(manager: SessionManager<Data>, handler: Handler) {
    const failures: unknown[] = []
    const sessions = session(manager, { onError: (error) => failures.push(error) })
    const listener = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
      sessions(request, response, async (error) => {
        try {
          if (error) throw error
          await handler(sessionOf(request) as unknown as Session<Data>, response)
        } catch (thrown) {
          failures.push(thrown)
        }
      })
    }
    const server =
      scheme === 'http:'
        ? http2.createServer(listener)
        : http2.createSecureServer(await authority.sign(['shop.example', 'localhost']), listener)
    server.listen(0, 'localhost')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const client = http2.connect(`${scheme}//localhost:${port}`, { ca: authority.cert })
    ends.push(() => {
      client.destroy()
      server.close()
    })
    const ask = async (headers: http2.OutgoingHttpHeaders = {}) => {
      const stream = client.request({ ':path': '/', ...headers })
      const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
      stream.setEncoding('utf8')
      let body = ''
      for await (const chunk of stream) body += chunk
      return { status: answer[':status'], headers: answer, body }
    }
    return { ask, client, failures }
  }

  it('D11: sessions begin, are read and written, and nobody is warned of a cookie that arrives', async () => {
    const { manager, events } = await begin()
    const { ask, failures } = await serve(manager, async (session, response) => {
      const messages = await session.update('messages', (n = 0) => n + 1)
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('message ')
      response.end(String(messages))
    })
    const { status, headers, body } = await ask()
    expect([status, body]).toEqual([200, 'message 1'])
    expect(headers['set-cookie']).toHaveLength(1)
    const cookie = headers['set-cookie']![0]!.split(';')[0]
    expect((await ask({ cookie })).body).toBe('message 2')
    expect(events).not.toContain('insecure-cookie')
    expect(failures).toEqual([])
  })

  it('D6: a Secure cookie is told of where the scheme is http and the authority not local', async () => {
    const { manager, events } = await begin()
    const { ask } = await serve(manager, (session, response) => {
      session.set('messages', 1)
      response.end()
    })
    await ask({ ':authority': 'shop.example', ':scheme': 'https' })
    expect(events).not.toContain('insecure-cookie')
    await ask({ ':authority': 'shop.example' })
    expect(events.includes('insecure-cookie')).toBe(scheme === 'http:')
  })

  it('D8: a commit that fails is a plain 503, or a 500 where data is at fault, without a warning', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    ends.push(() => process.off('warning', note))
    const { manager, store, cookie } = await begin()
    const values: unknown[] = [1, new Map()]
    const { ask, failures } = await serve(manager, (session, response) => {
      session.set('messages', values.shift() as number)
      response.writeHead(200, { etag: '"abc"' }).end('the answer')
    })
    store.before = failing('replace', 9)
    const outage = await ask({ cookie })
    expect([outage.status, outage.body, outage.headers.etag]).toEqual([503, 'Service Unavailable', undefined])
    expect(failures).toEqual([])
    const mistake = await ask({ cookie })
    expect([mistake.status, mistake.body]).toEqual([500, 'Internal Server Error'])
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })])
    expect(warnings).toEqual([])
  })

  it('F6: a visitor who leaves, before the answer or during the save, hurts nobody', async () => {
    const { manager, store, cookie, read } = await begin()
    for (const leavesDuring of ['the handler', 'the save'] as const) {
      const { client, failures } = await serve(manager, async (session, response) => {
        const closed = once(response, 'close')
        const leave = async () => {
          stream.close(http2.constants.NGHTTP2_CANCEL)
          await closed
        }
        session.set('messages', leavesDuring.length)
        if (leavesDuring === 'the handler') await leave()
        else store.before = (operation) => (operation === 'replace' ? leave() : undefined)
        response.writeHead(200, { 'content-type': 'text/plain' }).end('the answer')
      })
      const stream = client.request({ ':path': '/', cookie })
      stream.on('error', () => {})
      await expect.poll(read).toMatchObject({ messages: leavesDuring.length })
      store.forget()
      expect(failures).toEqual([])
    }
  })
})

describe('h3 2, fromNodeHandler', () => {
  it('D11: counts views, signs in under a new token, and out', async () => {
    await visitAll(await listen(createServer(toNodeHandler(h3App))))
  })
})

describe('h3 1, fromNodeMiddleware', () => {
  function h3Of(manager: SessionManager<any>) {
    const of = (event: { node: { req: object } }) => sessionOf(event.node.req) as unknown as Session
    const router = createRouter()
      .get(
        '/',
        eventHandler(async (event) => `view ${await of(event).update('views', (n = 0) => n + 1)}`),
      )
      .post(
        '/login',
        eventHandler((event) => {
          of(event).signIn('u1')
          return new Response(null, { status: 302, headers: { Location: '/' } })
        }),
      )
      .post(
        '/logout',
        eventHandler((event) => {
          of(event).destroy()
          return new Response(null, { status: 302, headers: { Location: '/' } })
        }),
      )
      .get(
        '/saves',
        eventHandler(async (event) => {
          of(event).set('messages', 1)
          const saved = of(event).save()
          return saved.then(
            () => 'saved',
            ({ code }) => code,
          )
        }),
      )
    return createApp()
      .use(fromNodeMiddleware(session(manager)))
      .use(router)
  }

  it('D11: counts views, signs in under a new token, and out', async () => {
    await visitAll(await listen(createServer(toNodeListener(h3Of(createSessionManager())))))
  })

  it('D11: behind toWebHandler, whose response is a mock, a session is read and saved, and none begun', async () => {
    const { manager, cookie, read } = await begin()
    const handle = toWebHandler(h3Of(manager))
    const ask = async (init: RequestInit) =>
      (await handle(new Request('http://localhost/saves', init))).text()
    expect(await ask({ headers: { cookie } })).toBe('saved')
    expect(await read()).toEqual({ userId: 'u1', messages: 1 })
    expect(await ask({})).toBe('ERR_SESSION_HEADERS_SENT')
  })
})

describe('node-mocks-http', () => {
  it('D11: a session is read and saved, none is begun, and the answer is as without sessions', async () => {
    const { manager, cookie, read } = await begin()
    const sessions = session(manager)
    for (const isKnown of [true, false]) {
      const { req, res } = createMocks({ headers: isKnown ? { cookie } : {} })
      const passed: unknown[] = []
      sessions(req, res, (error) => passed.push(error))
      expect(passed).toEqual([undefined])
      sessionOf(req).set('messages', 1)
      const saved = sessionOf(req).save()
      await (isKnown ? saved : expect(saved).rejects.toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' }))
      res.status(201).send('the answer')
      expect([res.statusCode, res._getData(), res._isEndCalled()]).toEqual([201, 'the answer', true])
    }
    expect(await read()).toEqual({ userId: 'u1', messages: 1 })
  })
})

describe('supertest', () => {
  it('D11: an application is asked as over the network', async () => {
    const app = express().use(session<Data>())
    app.get('/', async (request, response) => {
      response.send(`message ${await sessionOf(request).update('messages', (n = 0) => n + 1)}`)
    })
    const first = await supertest(app).get('/').expect(200, 'message 1')
    const cookie = first.headers['set-cookie']![0]!.split(';')[0]!
    await supertest(app).get('/').set('Cookie', cookie).expect(200, 'message 2')
  })

  it("readSession takes supertest's response, and Fastify's", async () => {
    const { manager, cookie } = await begin()
    const app = express().use(session(manager))
    app.post('/sign-in', (request, response) => {
      sessionOf(request).signIn('u1')
      response.sendStatus(204)
    })
    const signedIn = await supertest(app).post('/sign-in').set('Cookie', cookie)
    expect(await readSession(manager, signedIn)).toEqual({ userId: 'u1' })
    await expect(readSession(manager, await supertest(app).get('/'))).rejects.toThrow('hand in the Cookie')

    const fastify = Fastify()
    addSessions(fastify, manager as SessionManager<never>)
    fastify.post('/cart', async (request) => request.session.set('views', 1))
    const answered = await fastify.inject({ method: 'POST', url: '/cart' })
    expect(await readSession(manager, answered)).toEqual({ views: 1 })
  })
})

async function visitAll(url: string): Promise<void> {
  let cookie = ''
  const visit = async (path: string, method = 'GET') => {
    const response = await fetch(url + path, { method, redirect: 'manual', headers: { cookie } })
    cookie = response.headers.getSetCookie()[0]?.split(';')[0] ?? cookie
    return { status: response.status, body: await response.text() }
  }
  for (const view of [1, 2, 3]) expect((await visit('/')).body).toBe(`view ${view}`)
  const anonymous = cookie
  expect((await visit('/login', 'POST')).status).toBe(302)
  expect(cookie).not.toBe(anonymous)
  expect((await visit('/')).body).toBe('view 4')
  await visit('/logout', 'POST')
  expect((await visit('/')).body).toBe('view 1')
}
