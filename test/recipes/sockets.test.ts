import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import express from 'express'
import expressWs from 'express-ws'
import { createSessionManager, MemoryStore } from 'holdfast'
import { session } from 'holdfast/node'
import { issueSession } from 'holdfast/testing'
import { Server as SocketServer } from 'socket.io'
import { io as connectSocket } from 'socket.io-client'
import { WebSocket, WebSocketServer } from 'ws'
import { listen, serveInBun } from '../support/recipes.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { begin, sessionOf, type Data } from '../support/user-with-messages.ts'
import { streamNews } from './sockets/event-stream.ts'
import { createApp as createPolled } from './sockets/long-polling.ts'
import { streamNews as streamNewsOnNode } from './sockets/node-event-stream.ts'
import { startChat } from './sockets/socket-io.ts'
import { acceptSockets } from './sockets/web-socket.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

describe('A session without a response', () => {
  const open = async () => {
    const { manager, cookie } = await begin()
    return { manager, cookie, session: manager.open(cookie, { canSetHeaders: () => false }) }
  }

  it('D10: refuses a sign-in, and the old token stays good', async () => {
    const { manager, cookie, session } = await open()
    session.signIn('u2')
    await expect(session.save()).rejects.toMatchObject({ code: 'ERR_SESSION_HEADERS_SENT' })
    expect(await manager.open(cookie).userId()).toBe('u1')
  })

  it('D10: is ended by destroy(), and a save after that rejects', async () => {
    const { manager, cookie, session } = await open()
    const other = manager.open(cookie)
    await other.update('messages', (n = 0) => n + 1)
    session.destroy()
    await session.save()
    await expect(other.save()).rejects.toMatchObject({ code: 'ERR_SESSION_ENDED' })
    expect(await manager.open(cookie).exists()).toBe(false)
  })
})

describe('WebSocket', () => {
  it('lets in who is signed in, counts messages, and notices a sign-out', async () => {
    const store = new TamperedStore(new MemoryStore())
    const manager = createSessionManager<{ messages: number }>({ store, secret })
    const server = createServer()
    const origin = 'https://shop.example'
    const sockets = acceptSockets(server, manager, origin)
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
    const another = new WebSocket(url, { headers: { origin, cookie } })
    await once(another, 'open')
    session.destroy()
    await session.save()
    socket.send('hello')
    expect((await once(socket, 'close'))[0]).toBe(4401)
    for (const each of sockets.clients) each.close(1001)
    expect((await once(another, 'close'))[0]).toBe(1001)
  })

  it('is sent no answer to a message that was not saved, since he signed out in between', async () => {
    const { manager, store, cookie } = await begin()
    const server = createServer()
    acceptSockets(server, manager, 'https://shop.example')
    const url = (await listen(server)).replace('http', 'ws')
    const socket = new WebSocket(url, { headers: { origin: 'https://shop.example', cookie } })
    await once(socket, 'open')
    store.before = async (operation) => {
      if (operation !== 'replace') return
      store.forget()
      const meanwhile = manager.open(cookie)
      meanwhile.destroy()
      await meanwhile.save()
    }
    const answers: unknown[] = []
    socket.on('message', (answer) => answers.push(answer))
    socket.send('hello')
    expect((await once(socket, 'close'))[0]).toBe(1011)
    expect(answers).toEqual([])
  })

  it('has its messages take turns, and a flood of them cut off', async () => {
    const { manager, store, cookie } = await begin()
    const server = createServer()
    acceptSockets(server, manager, 'https://shop.example')
    const url = (await listen(server)).replace('http', 'ws')
    const socket = new WebSocket(url, { headers: { origin: 'https://shop.example', cookie } })
    await once(socket, 'open')
    expect(await floodOf(store, () => socket.send(''), once(socket, 'close'))).toEqual([1008])
  })
})

/** What comes of 2000 messages at once: `ended`'s code. Loads are one at a time, and no more than those that may wait. */
async function floodOf(store: TamperedStore, send: () => unknown, ended: Promise<unknown[]>) {
  let [running, most] = [0, 0]
  store.forget()
  store.before = (operation) => void (operation === 'replace' && (most = Math.max(most, ++running)))
  store.after = (operation) => void (operation === 'replace' && running--)
  for (let count = 0; count < 2000; count++) send()
  const [code] = await ended
  await expect.poll(() => store.count('replace')).toBeGreaterThanOrEqual(100)
  expect(store.count('replace')).toBeLessThan(250)
  expect(most).toBe(1)
  return [code]
}

describe('An event stream', () => {
  it('counts through a second session, and ends with the sign-out', async () => {
    const manager = createSessionManager<{ seen: number }>()
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    let isOver = false
    async function* news() {
      try {
        yield 'one'
        yield 'two\n\nevent: admin'
        const session = manager.open(cookie)
        expect(await session.get('seen')).toBe(2)
        session.destroy()
        await session.save()
        yield 'three'
      } finally {
        isOver = true
      }
    }
    const stream = streamNews(manager, news)
    expect((await stream(new Request('http://localhost/'))).status).toBe(401)
    const response = await stream(new Request('http://localhost/', { headers: { cookie } }))
    expect(response.headers.get('cache-control')).toBe('private')
    expect(await response.text()).toBe('data: "one"\n\ndata: "two\\n\\nevent: admin"\n\n')
    expect(isOver).toBe(true)
  })

  it('ends what it listens to when the store fails', async () => {
    const { store, manager, cookie } = await begin()
    let isOver = false
    async function* news() {
      try {
        yield 'one'
        store.before = failing('get', 9)
        yield 'two'
      } finally {
        isOver = true
      }
    }
    const stream = streamNews(manager as never, news)
    const response = await stream(new Request('http://localhost/', { headers: { cookie } }))
    await expect(response.text()).rejects.toThrow()
    expect(isOver).toBe(true)
  })
})

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
  const shop = 'https://shop.example'
  const transports = [transport as 'polling' | 'websocket']
  const open = (url: string, cookie = '', origin?: string) => {
    const socket = connectSocket(url, {
      transports,
      extraHeaders: origin === undefined ? { cookie } : { cookie, origin },
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
    const io = startChat(server, manager, shop)
    ends.push(() => io.close())
    const url = await listen(server)
    expect(await outcome(open(url))).toBe('signed out')
    store.before = failing('get')
    expect(await outcome(open(url, cookie))).toBe('try again')
    store.forget()
    expect(await outcome(open(url, cookie, 'https://evil.example'))).toBe(
      transport === 'polling' ? 'xhr poll error' : 'websocket error',
    )
    expect(await outcome(open(url, cookie, shop))).toBe('connected')
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

  it('D11: has messages take turns, and a flood of them cut off', async () => {
    const { manager, store, cookie } = await begin()
    const server = createServer()
    const io = startChat(server, manager, shop)
    ends.push(() => io.close())
    const socket = open(await listen(server), cookie)
    expect(await outcome(socket)).toBe('connected')
    const left = new Promise<unknown[]>((resolve) => socket.on('disconnect', (...why) => resolve(why)))
    const [why] = await floodOf(store, () => socket.emit('message', () => {}), left)
    expect(why).toMatch(/io server disconnect|transport close/)
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

describe("Bun's server.upgrade", () => {
  it('lets in who is signed in, counts messages, and notices a sign-out', async () => {
    const { url, stop } = await serveInBun('test/recipes/sockets/bun.ts')
    ends.push(stop)
    const origin = 'http://localhost:3000'
    const post = (path: string, headers: Record<string, string> = {}) =>
      fetch(url + path, { method: 'POST', headers })
    const cookie = (await post('/login')).headers.getSetCookie()[0]!.split(';')[0]!
    const connect = (headers: Record<string, string>) =>
      new WebSocket(`${url.replace('http', 'ws')}/socket`, { headers }).on('error', () => {})
    const statusOf = async (headers: Record<string, string>) => {
      const [, response] = await once(connect(headers), 'unexpected-response')
      return response.statusCode as number
    }
    expect(await statusOf({ origin })).toBe(401)
    expect(await statusOf({ origin: 'https://evil.example', cookie })).toBe(403)
    expect((await fetch(`${url}/socket`, { headers: { origin, cookie } })).status).toBe(426)
    const socket = connect({ origin, cookie })
    await once(socket, 'open')
    for (const count of [1, 2]) {
      const answered = once(socket, 'message')
      socket.send('hello')
      expect(String((await answered)[0])).toBe(`message ${count}`)
    }
    const flooding = connect({ origin, cookie })
    await once(flooding, 'open')
    flooding.send('x'.repeat(65_537))
    expect((await once(flooding, 'close'))[0]).toBe(1009)
    await post('/logout', { cookie })
    socket.send('hello')
    expect((await once(socket, 'close'))[0]).toBe(4401)
  })
})

/** A visitor who is signed in, and whose session lives for a minute; `pass` lets time pass. */
async function beginMinute() {
  let now = Date.now()
  const store = new TamperedStore(new MemoryStore({ now: () => now }))
  const manager = createSessionManager<Data>({ store, secret, idleTimeout: 60, now: () => now })
  const cookie = await issueSession(manager, {}, { user: 'u1' })
  const signOut = async () => {
    const session = manager.open(cookie)
    session.destroy()
    await session.save()
  }
  return { manager, store, cookie, signOut, pass: (seconds: number) => void (now += seconds * 1000) }
}

describe("An event stream by Node's response", () => {
  async function start() {
    const begun = await beginMinute()
    const queue: string[] = []
    let wake = () => {}
    let isOver = false
    async function* news() {
      try {
        for (;;) {
          while (queue.length > 0) yield queue.shift()!
          await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        isOver = true
      }
    }
    const app = express().use(session(begun.manager))
    app.get('/news', (request, response) => streamNewsOnNode(begun.manager, news(), request, response))
    app.get('/begins', (request, response) => {
      sessionOf(request).set('messages', 1)
      return streamNewsOnNode(begun.manager, news(), request, response)
    })
    const url = `${await listen(createServer(app))}/news`
    const tell = (item: string) => {
      queue.push(item)
      wake()
    }
    return { ...begun, url, tell, isOver: () => isOver }
  }

  it('sends what comes, and ends with the sign-out', async () => {
    const { manager, cookie, url, tell, pass, signOut, isOver } = await start()
    expect((await fetch(url)).status).toBe(401)
    const response = await fetch(url, { headers: { cookie } })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (const item of ['one', 'two\n\nevent: admin']) {
      pass(25)
      tell(item)
      expect((await reader.read()).value).toBe(`data: ${JSON.stringify(item)}\n\n`)
    }
    expect(await manager.open(cookie, { renew: () => false }).exists()).toBe(true)
    await signOut()
    tell('three')
    expect((await reader.read()).done).toBe(true)
    await expect.poll(isOver).toBe(true)
  })

  it('C6: a session runs idle though its stream is open', async () => {
    const { cookie, url, tell, pass } = await start()
    const response = await fetch(url, { headers: { cookie } })
    const reader = response.body!.getReader()
    pass(40)
    tell('one')
    expect((await reader.read()).done).toBe(false)
    pass(40)
    tell('two')
    expect((await reader.read()).done).toBe(true)
  })

  it('D1: what the request changed before is saved with the head, and an outage ends the stream', async () => {
    const { manager, store, cookie, url, tell } = await start()
    const response = await fetch(url.replace('/news', '/begins'), { headers: { cookie } })
    expect(await manager.open(cookie).get('messages')).toBe(1)
    store.before = failing('get', 9)
    tell('one')
    await expect(response.text()).rejects.toThrow('terminated')
  })

  it('cuts off who does not read, before what he leaves fills the memory', async () => {
    const { cookie, url, tell, isOver } = await start()
    const { port } = new URL(url)
    const socket = connect(Number(port), 'localhost')
    ends.push(() => socket.destroy())
    socket.on('error', () => {}).pause()
    socket.write(`GET /news HTTP/1.1\r\nHost: shop\r\nCookie: ${cookie}\r\n\r\n`)
    const item = 'x'.repeat(1_000_000)
    await expect
      .poll(
        () => {
          tell(item)
          return isOver()
        },
        { interval: 10 },
      )
      .toBe(true)
  })

  it('ends what it listens to when the visitor leaves', async () => {
    const { cookie, url, tell, isOver } = await start()
    const leaves = new AbortController()
    const response = await fetch(url, { headers: { cookie }, signal: leaves.signal })
    tell('one')
    await response.body!.getReader().read()
    leaves.abort()
    await expect
      .poll(() => {
        tell('two')
        return isOver()
      })
      .toBe(true)
  })
})

describe('Long polling', () => {
  it('C6: answers with what comes, or with nothing, and renews nothing', async () => {
    const { manager, cookie, pass } = await beginMinute()
    const messages = ['hello']
    const next = async (signal: AbortSignal) => {
      if (messages.length === 0) await once(signal, 'abort')
      return messages.shift()
    }
    const app = createPolled(manager, next, 1)
    const ask = () => app.request('/messages', { headers: { cookie } })
    expect((await app.request('/messages')).status).toBe(401)
    expect(await (await ask()).text()).toBe('hello')
    pass(40)
    expect((await ask()).status).toBe(204)
    pass(40)
    expect((await ask()).status).toBe(401)
  })

  it('tells nothing to who signed out while he waited', async () => {
    const { manager, cookie, signOut } = await beginMinute()
    const app = createPolled(manager, async () => {
      await signOut()
      return 'a secret'
    })
    const response = await app.request('/messages', { headers: { cookie } })
    expect([response.status, await response.text()]).toEqual([401, ''])
  })
})
