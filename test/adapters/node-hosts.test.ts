import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { session, type SessionRequest } from '../../src/adapters/node.ts'
import type { Session } from '../../src/core/index.ts'
import { createBench } from '../support/managers.ts'
import { openMemoryStore } from '../support/stores.ts'

const benchOnMemory = () => createBench(openMemoryStore())
const lost = expect.objectContaining({ code: 'ERR_SESSION_HEADERS_SENT' })

/** What hosts hand over in the place of Node's own response. */
const responses: Record<string, () => any> = {
  'an empty object': () => ({}),
  nothing: () => undefined,
  null: () => null,
  'an object without a prototype': () => Object.create(null),
  'a frozen object': () => Object.freeze({}),
  // As engine.io makes it for an upgrade.
  'an object of no-ops': () => ({ setHeader() {}, getHeader() {}, write() {}, writeHead() {}, end() {} }),
  // As node-mocks-http and unenv make it.
  'a mock': () => {
    const response = Object.assign(new EventEmitter(), { headersSent: false, statusCode: 200 })
    return Object.assign(response, { setHeader() {}, getHeader() {}, write() {}, writeHead() {}, end() {} })
  },
}

describe.each(Object.entries(responses))('in the place of a response %s', (_, makeResponse) => {
  function open(bench = benchOnMemory(), headers: object | undefined = {}) {
    const request = { headers } as unknown as IncomingMessage & SessionRequest
    const response = makeResponse()
    const members = response && Object.entries(response)
    const errors: unknown[] = []
    session(bench.manager)(request, response, (error) => errors.push(error))
    expect(errors).toEqual([undefined])
    if (response) expect(Object.entries(response)).toEqual(members)
    return request.session
  }

  it('D11: a session is read, and save() saves it', async () => {
    const bench = benchOnMemory()
    const cookie = await bench.begin({ name: 'Ada' })
    const session = open(bench, { cookie })
    expect(await session.get('name')).toBe('Ada')
    session.set('name', 'Grace')
    await session.save()
    expect(await bench.read(cookie)).toEqual({ name: 'Grace' })
    session.destroy()
    await session.save()
    expect(await bench.read(cookie)).toEqual({})
  })

  it('D11: what would need a cookie is refused by save(), and nothing is written', async () => {
    const bench = benchOnMemory()
    const begins = open(bench)
    begins.set('name', 'Ada')
    await expect(begins.save()).rejects.toEqual(lost)
    const cookie = await bench.begin({ name: 'Ada' })
    const regenerates = open(bench, { cookie })
    regenerates.regenerateId()
    await expect(regenerates.save()).rejects.toEqual(lost)
    expect(bench.store.count('add')).toBe(0)
    expect(await bench.read(cookie)).toEqual({ name: 'Ada' })
  })

  it('D11: a request may lack headers and a socket, or have one that is no emitter', async () => {
    for (const members of [{}, { socket: {} }, { socket: null, headers: null }]) {
      const request = members as unknown as IncomingMessage & SessionRequest
      session(benchOnMemory().manager)(request, makeResponse(), (error) => expect(error).toBeUndefined())
      expect(await request.session.entries()).toEqual({})
    }
  })
})

describe('whatever goes wrong', () => {
  it.each<[string, object]>([
    ['a request that is frozen', Object.freeze({ headers: {} })],
    ["another library's session", { headers: {}, session: { touch() {} } }],
    [
      'a socket that cannot be reached',
      {
        upgrade: true,
        get socket() {
          throw new Error('gone')
        },
      },
    ],
    [
      'a getter that throws',
      {
        get session() {
          throw new Error('gone')
        },
      },
    ],
  ])('D11: goes to next: %s', (_, request) => {
    const errors: unknown[] = []
    session()(request as never, {}, (error) => errors.push(error))
    expect(errors).toEqual([expect.any(Error)])
  })
})

type Upgrade = (request: IncomingMessage & SessionRequest, socket: Socket, error: unknown) => unknown

describe('an upgrade', () => {
  let close = () => {}
  afterEach(() => close())

  /** Serves upgrades behind the middleware, and gives one that is open. */
  async function upgrade(bench: ReturnType<typeof benchOnMemory>, cookie: string, handle: Upgrade) {
    const sessions = session(bench.manager)
    const server = createServer((_, response) => response.end('ok'))
    server.on('upgrade', (request: IncomingMessage & SessionRequest, socket: Socket) => {
      // As every host of sockets does, or nobody would notice the end.
      socket
        .on('error', () => {})
        .on('end', () => socket.end())
        .resume()
      sessions(request, {}, async (error) => {
        const said = await handle(request, socket, error)
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n${said}`)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    close = () => {
      client.destroy()
      server.close()
    }
    client.write(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\nCookie: ${cookie}\r\n\r\n`,
    )
    let said = ''
    client.on('data', (chunk) => (said += chunk))
    await expect.poll(() => said).toContain('\r\n\r\n')
    return { client, said: said.split('\r\n\r\n')[1] }
  }

  it('D11: reads the session of its cookie, or an empty one', async () => {
    const bench = benchOnMemory()
    const greet: Upgrade = async ({ session }, _socket, error) =>
      error ?? (await session.get('name')) ?? 'hello'
    expect((await upgrade(bench, '', greet)).said).toBe('hello')
    close()
    expect((await upgrade(bench, await bench.begin({ name: 'Ada' }), greet)).said).toBe('Ada')
  })

  const changes: [string, (session: Session) => unknown][] = [
    ['a value that was set', (session) => session.set('name', 'Grace')],
    ['an update', (session) => session.update('visits', (n = 0) => n + 1)],
    ['a change inside a value', async (session) => (await session.get('cart')).push('a rope')],
    ['a destroy()', (session) => session.destroy()],
  ]

  it.each(changes)('L3: what is unsaved when the socket closes is told: %s', async (_, change) => {
    const bench = benchOnMemory()
    const cookie = await bench.begin({ name: 'Ada', cart: [] })
    const { client } = await upgrade(bench, cookie, ({ session }) => change(session))
    client.destroy()
    await expect.poll(() => bench.events()).toContain('dropped')
    expect(bench.events().filter((type) => type === 'dropped')).toHaveLength(1)
    expect(await bench.read(cookie)).toEqual({ name: 'Ada', cart: [] })
  })

  it.each(changes)('L3: what was saved, or is when the socket closes, is not: %s', async (_, change) => {
    const bench = benchOnMemory()
    for (const isLate of [false, true]) {
      const cookie = await bench.begin({ name: 'Ada', cart: [] })
      const closed = new EventEmitter()
      const { client } = await upgrade(bench, cookie, async ({ session }, socket) => {
        const save = async () => {
          await change(session)
          await session.save()
          closed.emit('saved')
        }
        if (!isLate) await save()
        socket.on('close', () => void (isLate ? save() : closed.emit('saved')))
      })
      const saved = once(closed, 'saved')
      client.destroy()
      await saved
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      expect(bench.events()).not.toContain('dropped')
      expect(await bench.read(cookie)).not.toEqual({ name: 'Ada', cart: [] })
      close()
    }
  })

  it('L3: a save that is on its way when the socket closes is waited for', async () => {
    const bench = benchOnMemory()
    const cookie = await bench.begin({ name: 'Ada' })
    const gate = new EventEmitter()
    const closed = once(gate, 'closed')
    const saving = once(gate, 'saving')
    bench.store.before = async (operation) => {
      if (operation !== 'replace') return
      const letGo = once(gate, 'let go')
      gate.emit('saving')
      await letGo
    }
    const { client } = await upgrade(bench, cookie, ({ session }, socket) => {
      socket.on('close', () => setImmediate(() => setImmediate(() => gate.emit('closed'))))
      session.set('name', 'Grace')
      void session.save()
    })
    await saving
    client.destroy()
    await closed
    gate.emit('let go')
    await expect.poll(() => bench.events()).toContain('saved')
    expect(bench.events()).not.toContain('dropped')
    expect(await bench.read(cookie)).toEqual({ name: 'Grace' })
  })

  it('L3: a session that was only read is not told of', async () => {
    const bench = benchOnMemory()
    const { client } = await upgrade(
      bench,
      await bench.begin({ name: 'Ada' }),
      async ({ session }, socket) => {
        socket.on('close', () => setImmediate(() => setImmediate(() => client.emit('told'))))
        return session.get('name')
      },
    )
    client.destroy()
    await once(client, 'told')
    expect(bench.events()).toEqual(['loaded'])
  })

  it('L3, F6: what is no upgrade leaves nothing at a socket that is kept alive', async () => {
    const socket = new EventEmitter()
    const bench = benchOnMemory()
    const cookie = await bench.begin({ name: 'Ada' })
    const open = (members: object) => {
      const request = { headers: { cookie }, socket, ...members } as unknown as IncomingMessage &
        SessionRequest
      session(bench.manager)(request, {}, () => {})
      request.session.set('name', 'Grace')
    }
    for (let i = 0; i < 20; i++) open({})
    expect(socket.listenerCount('close')).toBe(0)
    open({ upgrade: true })
    socket.emit('close')
    await expect.poll(() => bench.events()).toContain('dropped')
  })
})
