import { EventEmitter, once } from 'node:events'
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { session, type SessionRequest } from '../../src/adapters/node.ts'
import { createSessionManager, MemoryStore, type SessionManager } from '../../src/core/index.ts'
import { signedIn } from '../support/signed-in.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'

type Handler = (request: SessionRequest & IncomingMessage, response: ServerResponse) => unknown

describe('node:http', () => {
  let close = () => {}
  afterEach(() => close())

  /** Serves the handler behind the middleware; what goes wrong in it, or in the middleware, is `failures`. */
  async function serve(manager: SessionManager, handler: Handler, before: Handler = () => {}) {
    const failures: unknown[] = []
    const sessions = session(manager, { onError: (error) => failures.push(error) })
    const server = createServer((request, response) => {
      void before(request as never, response)
      sessions(request, response, async (error) => {
        if (error) failures.push(error)
        await Promise.resolve(handler(request as never, response)).catch((thrown: unknown) => {
          failures.push(thrown)
          response.destroy()
        })
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    close = () => {
      server.close()
      server.closeAllConnections()
    }
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const ask = (init: RequestInit & { cookie?: string } = {}) =>
      fetch(url, { redirect: 'manual', headers: init.cookie ? { cookie: init.cookie } : {}, ...init })
    return { ask, url, failures }
  }

  /** A manager whose next save waits until it is let go, and says when it has begun. */
  function heldBack() {
    const store = new TamperedStore(new MemoryStore())
    const gate = new EventEmitter()
    const begun = once(gate, 'begin')
    store.before = async (operation) => {
      if (operation !== 'add') return
      const letGo = once(gate, 'let go')
      gate.emit('begin')
      await letGo
    }
    return { manager: createSessionManager({ store, secret }), letGo: () => gate.emit('let go'), begun }
  }

  const failingManager = () => {
    const store = new TamperedStore(new MemoryStore())
    store.before = failing('add', 2)
    return createSessionManager({ store, secret })
  }

  it('D1: no byte leaves before the save, and meanwhile the response looks as if it had', async () => {
    const { manager, letGo, begun } = heldBack()
    const seen: unknown[] = []
    const { ask, failures } = await serve(manager, (request, response) => {
      request.session.set('user', 'u1')
      response.setHeader('X-Before', '1')
      seen.push(response.headersSent, response.writableEnded)
      response.end('the answer')
      seen.push(response.headersSent, response.writableEnded)
      response.statusCode = 500
      for (const change of [
        () => response.setHeader('X-After', '1'),
        () => response.appendHeader('X-After', '1'),
        () => response.removeHeader('X-Before'),
      ]) {
        expect(change).toThrow(expect.objectContaining({ code: 'ERR_HTTP_HEADERS_SENT' }))
      }
    })
    let hasArrived = false
    const answered = ask().then((response) => {
      hasArrived = true
      return response
    })
    await begun
    await new Promise((resolve) => setImmediate(resolve))
    expect(hasArrived).toBe(false)
    letGo()
    const response = await answered
    expect(seen).toEqual([false, false, true, true])
    expect([response.status, await response.text()]).toEqual([200, 'the answer'])
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(response.headers.get('x-before')).toBe('1')
    expect(response.headers.has('x-after')).toBe(false)
    expect(failures).toEqual([])
  })

  it('A1: an untouched answer is as Node sends it', async () => {
    const answer: Handler = (_request, response) => response.end('the answer')
    const withSessions = await (await serve(createSessionManager(), answer)).ask()
    close()
    const server = createServer((request, response) => void answer(request as never, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    close = () => server.closeAllConnections()
    const without = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    const named = (response: Response) => [...response.headers].filter(([name]) => name !== 'date')
    expect(named(withSessions)).toEqual(named(without))
    expect(await withSessions.text()).toBe('the answer')
    server.close()
  })

  it('A1: an untouched answer goes out at once, whatever begins it', async () => {
    const { ask, failures } = await serve(createSessionManager(), (request, response) => {
      const socket = response.socket!
      // Bun writes a head with the first byte behind it; that nothing is held back shows in whose `headersSent` it is.
      const written = () =>
        process.versions['bun']
          ? response.headersSent && !Object.hasOwn(response, 'headersSent')
          : socket.bytesWritten + socket.writableLength > 0
      if (request.method === 'PUT') response.writeHead(200).flushHeaders()
      if (request.method === 'POST') response.flushHeaders()
      if (request.method === 'GET') expect(response.write('one, ')).toBe(true)
      if (request.method === 'DELETE') response.end('one, ')
      expect([request.method, written()]).toEqual([request.method, true])
      if (request.method !== 'DELETE') response.end('two')
    })
    for (const method of ['PUT', 'POST', 'GET', 'DELETE']) expect((await ask({ method })).status).toBe(200)
    expect(failures).toEqual([])
  })

  it('A1: an untouched answer that Node refuses is refused to the handler, as without sessions', async () => {
    // Deno refuses it later than Node and Bun do, and nothing answers then: without sessions as with them.
    const told: unknown[] = []
    const answer = (_request: unknown, response: ServerResponse) => {
      try {
        response.writeHead(200, { 'X-Bad': 'a\nb' })
      } catch (error) {
        told.push((error as { code: string }).code)
      }
      try {
        response.writeHead(500).end('sorry')
      } catch (error) {
        told.push((error as { code: string }).code)
        response.destroy()
      }
    }
    const outcome = async (asked: Promise<Response>) => {
      const got = await asked.then(
        async (response) => [response.status, await response.text()],
        () => ['no answer'],
      )
      return [...got, ...told.splice(0)]
    }
    const { ask } = await serve(createSessionManager(), answer)
    const withSessions = await outcome(ask())
    close()
    const server = createServer(answer).listen(0, '127.0.0.1')
    await once(server, 'listening')
    close = () => server.closeAllConnections()
    const { port } = server.address() as AddressInfo
    expect(withSessions).toEqual(await outcome(fetch(`http://127.0.0.1:${port}/`)))
    expect(withSessions.length).toBeGreaterThan(2)
    server.close()
  })

  it('D1: a head that Node refuses leaves the session open', async () => {
    const { ask, failures } = await serve(createSessionManager(), (request, response) => {
      request.session.set('user', 'u1')
      expect(() => response.writeHead(200, { 'X-Bad': 'a\nb' })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_CHAR' }),
      )
      request.session.set('user', 'u2')
      response.writeHead(400).end('sorry')
    })
    const response = await ask()
    expect([response.status, await response.text()]).toEqual([400, 'sorry'])
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(failures).toEqual([])
  })

  it.each<[string, Handler]>([
    [
      'write',
      (_request, response) => {
        response.write('one, ')
        response.write('two, ')
        response.end('three')
      },
    ],
    [
      'flushHeaders',
      (_request, response) => {
        response.flushHeaders()
        response.end('one, two, three')
      },
    ],
    ['writeHead', (_request, response) => response.writeHead(200, 'Fine').end('one, two, three')],
    ['pipeline', (_request, response) => pipeline(Readable.from(['one, ', 'two, ', 'three']), response)],
  ])('D1: %s carries the cookie, and nothing of the body is lost', async (_, handler) => {
    const { ask } = await serve(createSessionManager(), (request, response) => {
      request.session.set('user', 'u1')
      return handler(request, response)
    })
    const response = await ask()
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(await response.text()).toBe('one, two, three')
  })

  it('D1: what was saved before a stream begins may be changed inside it, through a second session', async () => {
    const { manager, cookie } = await signedIn()
    const { ask, failures } = await serve(manager, async (request, response) => {
      await request.session.update('views', (n: number = 0) => n + 1)
      await request.session.save()
      response.flushHeaders()
      const second = manager.open(request.headers.cookie)
      const views = await second.update('views', (n: number = 0) => n + 1)
      await manager.commit(second, () => ({ status: 200, headers: new Headers() }))
      expect(() => request.session.set('late', true)).toThrow(
        expect.objectContaining({ code: 'ERR_SESSION_COMMITTED' }),
      )
      response.end(String(views))
    })
    expect(await (await ask({ cookie })).text()).toBe('2')
    expect(failures).toEqual([])
  })

  it('tells a writer to wait, and when to go on', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const { ask, failures } = await serve(createSessionManager(), async (request, response) => {
      request.session.set('user', 'u1')
      expect(response.write(chunk)).toBe(false)
      await once(response, 'drain')
      for (let i = 0; i < 20; i++) if (!response.write(chunk)) await once(response, 'drain')
      response.end()
    })
    expect((await (await ask()).arrayBuffer()).byteLength).toBe(21 * chunk.length)
    expect(failures).toEqual([])
  })

  it('calls the callbacks of write and end', async () => {
    const called: string[] = []
    const { ask } = await serve(createSessionManager(), async (request, response) => {
      request.session.set('user', 'u1')
      response.write('a', 'utf8', () => called.push('write'))
      await new Promise<void>((resolve) => response.end('b', resolve))
      called.push('end')
    })
    expect(await (await ask()).text()).toBe('ab')
    await expect.poll(() => called).toEqual(['write', 'end'])
  })

  it('D4: what writeHead is given counts, and other cookies survive', async () => {
    const heads: [number, ...any[]][] = [
      [201, { 'Cache-Control': 'public', 'Set-Cookie': ['theirs=1', 'theirs=2'] }],
      [201, 'Created', ['Cache-Control', 'public', 'Set-Cookie', 'theirs=1', 'Set-Cookie', 'theirs=2']],
    ]
    for (const head of heads) {
      const { ask } = await serve(createSessionManager(), (request, response) => {
        request.session.set('user', 'u1')
        response.setHeader('X-Kept', 'yes')
        response.setHeader('Cache-Control', 'max-age=5')
        response.writeHead(...(head as [number])).end()
      })
      const { status, headers } = await ask()
      expect([status, headers.get('x-kept'), headers.get('cache-control')]).toEqual([201, 'yes', 'no-store'])
      expect(headers.getSetCookie()).toEqual([
        'theirs=1',
        'theirs=2',
        expect.stringMatching(/^__Host-session=/),
      ])
      close()
    }
  })

  it('H2: what other middleware has wrapped around writeHead has its say before the commit, and once', async () => {
    const wrap = (response: ServerResponse, name: string) => {
      const writeHead = response.writeHead.bind(response) as (...parameters: unknown[]) => ServerResponse
      response.writeHead = (...parameters: unknown[]) => {
        response.appendHeader(name, 'turn')
        response.setHeader('Cache-Control', 'public')
        return writeHead(...parameters)
      }
    }
    for (const answer of ['end', 'write'] as const) {
      const { ask } = await serve(createSessionManager(), (request, response) => {
        request.session.set('user', 'u1')
        wrap(response, 'X-Inner')
        if (answer === 'write') response.write('one, ')
        response.end('two')
      })
      const { headers } = await ask()
      expect([headers.get('x-inner'), headers.get('cache-control')]).toEqual(['turn', 'no-store'])
      close()
    }
    for (const [manager, status] of [
      [createSessionManager(), 200],
      [failingManager(), 503],
    ] as const) {
      const { ask } = await serve(
        manager,
        (request, response) => {
          request.session.set('user', 'u1')
          response.end()
        },
        (_request, response) => wrap(response, 'X-Outer'),
      )
      const response = await ask()
      expect([response.status, response.headers.get('x-outer')]).toEqual([status, 'turn'])
      close()
    }
  })

  it('bears with middleware that asks for a private _header and begins again', async () => {
    const { ask, failures } = await serve(createSessionManager(), (request, response) => {
      request.session.set('user', 'u1')
      response.writeHead(202)
      response.writeHead(response.statusCode)
      response.end('the answer')
    })
    const { status, headers } = await ask()
    expect([status, headers.getSetCookie().length]).toEqual([202, 1])
    expect(failures).toEqual([])
  })

  it('keeps the connection alive, whatever is answered', async () => {
    const { manager, store, cookie } = await signedIn()
    const { url } = await serve(manager, async (request, response) => {
      await request.session.update('views', (n: number = 0) => n + 1)
      if (request.method === 'HEAD') response.setHeader('Content-Length', 10)
      response.end('the answer')
    })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const answers: unknown[] = []
    for (const method of ['GET', 'HEAD', 'FAIL', 'GET']) {
      if (method === 'FAIL') store.before = failing('replace', 2)
      const request = get(url, { agent, method: method.replace('FAIL', 'GET'), headers: { cookie } })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      let body = ''
      for await (const chunk of response.setEncoding('utf8')) body += chunk
      answers.push([response.statusCode, response.headers['content-length'], body, request.reusedSocket])
    }
    agent.destroy()
    expect(answers).toEqual([
      [200, '10', 'the answer', false],
      [200, '10', '', true],
      [503, '19', 'Service Unavailable', true],
      [200, '10', 'the answer', true],
    ])
  })

  it('D8: a commit that fails is a plain 503 without anything of the answer', async () => {
    const { ask, failures } = await serve(failingManager(), (request, response) => {
      request.session.set('user', 'u1')
      response.setHeader('X-Frame-Options', 'DENY')
      response.setHeader('Set-Cookie', 'theirs=1')
      response.writeHead(200, 'Splendid', { ETag: '"abc"', 'Content-Type': 'text/html', 'Content-Length': 3 })
      response.end('yes')
    })
    const response = await ask()
    expect([response.status, response.statusText]).toEqual([503, 'Service Unavailable'])
    expect(await response.text()).toBe('Service Unavailable')
    expect(response.headers.get('etag')).toBeNull()
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-frame-options')).toBe('DENY')
    expect(response.headers.getSetCookie()).toEqual(['theirs=1'])
    expect(failures).toEqual([])
  })

  it('D8: whoever streams an answer whose commit failed comes to an end', async () => {
    const chunks = Array.from({ length: 100 }, () => Buffer.alloc(16 * 1024, 'x'))
    const source = Readable.from(chunks)
    const done: unknown[] = []
    const { ask } = await serve(failingManager(), async (request, response) => {
      request.session.set('user', 'u1')
      response.write('first', (error) => done.push(error))
      const piped = pipeline(source, response).catch((error: unknown) => error)
      for (const chunk of chunks) if (!response.write(chunk)) await once(response, 'drain')
      response.write('last', (error) => done.push(error))
      await piped
      done.push(source.destroyed)
    })
    const response = await ask()
    expect([response.status, await response.text()]).toEqual([503, 'Service Unavailable'])
    await expect.poll(() => done).toEqual([expect.any(Error), expect.any(Error), true])
  })

  it('D7: what cannot be saved is a 500, told to onError', async () => {
    const { ask, failures } = await serve(createSessionManager(), (request, response) => {
      request.session.set('user', new Map() as never)
      response.end('the answer')
    })
    const response = await ask()
    expect([response.status, await response.text()]).toEqual([500, 'Internal Server Error'])
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_SESSION_NOT_SERIALIZABLE' })])
  })

  it('an answer that Node refuses is a 500, told to onError', async () => {
    const { ask, failures } = await serve(createSessionManager(), (request, response) => {
      request.session.set('user', 'u1')
      response.statusCode = 9999
      response.end('the answer')
    })
    expect((await ask()).status).toBe(500)
    expect(failures).toEqual([
      expect.objectContaining({
        code: expect.stringMatching(/^ERR_(HTTP_INVALID_STATUS_CODE|INVALID_ARG_TYPE)$/),
      }),
    ])
  })

  it('D3: an answer of 500 drops the changes, and carries a destroy out', async () => {
    const { manager, cookie } = await signedIn()
    const { ask } = await serve(manager, async (request, response) => {
      if (request.method === 'GET') return response.end(await request.session.get('user'))
      if (request.method === 'DELETE') request.session.destroy()
      else request.session.set('user', 'u2')
      return response.writeHead(500).end()
    })
    await ask({ method: 'POST', headers: { cookie } })
    expect(await (await ask({ cookie })).text()).toBe('u1')
    const { headers } = await ask({ method: 'DELETE', headers: { cookie } })
    expect(headers.getSetCookie()[0]).toMatch(/^__Host-session=; .*Max-Age=0/)
    expect(await (await ask({ cookie })).text()).toBe('')
  })

  it('D5: the same manager joins, a middleware of another one is refused', async () => {
    const manager = createSessionManager()
    const { ask, failures } = await serve(manager, (request, response) => {
      const mine = request.session
      session(manager)(request, response, (error) =>
        expect([error, request.session]).toEqual([undefined, mine]),
      )
      request.session.set('user', 'u1')
      session()(request, response, (error) => response.end((error as { code: string }).code))
    })
    const response = await ask()
    expect(await response.text()).toBe('ERR_SESSION_MOUNTED_TWICE')
    expect(response.headers.getSetCookie()).toHaveLength(1)
    expect(failures).toEqual([])
  })

  it("D5: another library's session is not overwritten", async () => {
    const { ask, failures } = await serve(
      createSessionManager(),
      (_request, response) => response.end(),
      (request) => Object.assign(request, { session: { touch: () => {} } }),
    )
    await ask()
    expect(failures).toEqual([expect.objectContaining({ code: 'ERR_SESSION_MOUNTED_TWICE' })])
  })

  it('F6: a visitor who leaves during the save hurts nobody', async () => {
    const { manager, letGo, begun } = heldBack()
    const left = new EventEmitter()
    const { url, failures } = await serve(manager, (request, response) => {
      request.session.set('user', 'u1')
      response.once('close', () => left.emit('gone'))
      response.write('one', () => left.emit('called back'))
      response.end('two')
    })
    const request = get(url).on('error', () => {})
    await begun
    const gone = once(left, 'gone')
    const calledBack = once(left, 'called back')
    request.destroy()
    await gone
    letGo()
    await calledBack
    expect(failures).toEqual([])
  })

  it('D6: a Secure cookie over plain http to a host that is not local is told of', async () => {
    const told: string[] = []
    const manager = createSessionManager({ onEvent: ({ type }) => told.push(type) })
    const { url } = await serve(manager, (request, response) => {
      request.session.set('user', 'u1')
      response.end()
    })
    for (const headers of [
      {},
      { host: 'shop.example', 'x-forwarded-proto': 'https' },
      { host: 'shop.example' },
    ]) {
      await once(
        get(url, { headers }).on('response', (response) => response.resume()),
        'close',
      )
    }
    expect(told).toEqual(['created', 'created', 'created', 'insecure-cookie'])
  })
})
