import { createServer, ServerResponse, type RequestListener } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { beforeEach, describe, expect, it } from 'vitest'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { createSessionManager, MemoryStore, type Session, type SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import { countsViewsAndSignsIn, listen } from '../support/recipes.ts'
import { signedIn } from '../support/signed-in.ts'
import { secret } from '../support/stores.ts'
import { failing } from '../support/tampered-store.ts'
import { app as expressApp } from './express/express.ts'

const sessionOf = (request: object): Session => (request as SessionRequest).session

describe('Express, which changes the prototype of request and response on the way', () => {
  let manager: SessionManager
  beforeEach(() => {
    manager = createSessionManager({ store: new MemoryStore(), secret, onEvent() {} })
  })

  const countViews: RequestHandler = async (request, response) => {
    const views = await sessionOf(request).update('views', (n: number = 0) => n + 1)
    response.send(`view ${views}`)
  }
  /** As compression does it: own methods over those that it finds. */
  const wrapped: RequestHandler = (_request, response, next) => {
    const { end } = response
    response.end = function (this: typeof response, ...parameters: Parameters<typeof end>) {
      this.setHeader('X-Wrapped', 'yes')
      return end.apply(this, parameters)
    } as typeof end
    next()
  }

  const apps: [string, (sessions: RequestHandler) => RequestListener][] = [
    ['one application', (sessions) => express().use(sessions, wrapped, countViews)],
    [
      'a handler in a mounted application',
      (sessions) => express().use(sessions).use('/shop', express().use(wrapped).get('/', countViews)),
    ],
    [
      'a handler after a mounted application that passed it on',
      (sessions) => express().use(sessions).use(express().use(wrapped)).get('/shop', countViews),
    ],
    [
      'sessions in a mounted application, a handler after it',
      (sessions) => express().use(express().use(wrapped, sessions)).get('/shop', countViews),
    ],
    [
      'a handler in an application that is called and not mounted',
      (sessions) => {
        const inner = express().use(wrapped, countViews)
        return express().use(sessions, (request, response) => inner(request, response))
      },
    ],
    [
      'sessions before the application',
      (sessions) => {
        const app = express().use(wrapped, countViews)
        return (request, response) =>
          sessions(request as never, response as never, () => app(request, response))
      },
    ],
  ]

  it.each(apps)('D1: the session is read and saved: %s', async (_, appOf) => {
    const url = `${await listen(appOf(session(manager) as RequestHandler))}/shop`
    const first = await fetch(url)
    expect([await first.text(), first.headers.get('x-wrapped')]).toEqual(['view 1', 'yes'])
    const cookie = first.headers.getSetCookie()[0]!.split(';')[0]!
    for (const view of [2, 3]) {
      const response = await fetch(url, { headers: { cookie } })
      expect(await response.text()).toBe(`view ${view}`)
    }
  })

  it('A1: an untouched request is left no property but those that hold the session and its answer', async () => {
    const added: unknown[] = []
    const own = (object: object) => new Set(Reflect.ownKeys(object))
    const sessions = session(manager)
    const app = express().use((request, response, next) => {
      const before = [own(request), own(response)]
      sessions(request, response, () => {
        for (const [index, object] of [request, response].entries()) {
          added.push([...own(object)].filter((key) => !before[index]!.has(key)).map(String))
        }
        next()
      })
    })
    await fetch(await listen(app.use((_request, response) => void response.send('untouched'))))
    expect(added).toEqual([
      ['session', 'Symbol(request.session)', 'Symbol(holdfast sessions)'],
      ['writeHead', 'flushHeaders', 'write', 'end', 'Symbol(holdfast answer)'],
    ])
  })
})

describe('The program of the page', () => {
  it('counts views, signs in under a new token, and out', async () => {
    const url = await listen(expressApp)
    await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
  })
})

describe('An answer of Express', () => {
  /** With errors answered by a handler of its own. */
  async function start(answer: RequestHandler) {
    const { manager, store, cookie } = await signedIn()
    const app = express().use(session(manager) as RequestHandler, answer)
    app.use(((error, _request, response, _next) => {
      response.status(error.status ?? 500).send('failed')
    }) as ErrorRequestHandler)
    const url = await listen(app)
    return { manager, store, ask: () => fetch(url, { headers: { cookie }, redirect: 'manual' }), cookie }
  }

  it('D8: whose commit fails is a 503 with nothing of it', async () => {
    const { store, ask } = await start((request, response) => {
      sessionOf(request).set('views', 2)
      response.set('ETag', '"abc"').redirect('/elsewhere')
    })
    store.before = failing('replace', 9)
    const response = await ask()
    expect([response.status, response.headers.get('cache-control')]).toEqual([503, 'no-store'])
    expect(response.headers.get('retry-after')).toBe('1')
    for (const header of ['location', 'etag', 'set-cookie']) expect(response.headers.get(header)).toBeNull()
    expect(await response.text()).not.toContain('elsewhere')
  })

  it('D3: below 500 counts, also for an error: attempts are kept', async () => {
    const { manager, ask, cookie } = await start(async (request) => {
      await sessionOf(request).update('views', (n: number = 0) => n + 1)
      throw Object.assign(new Error('denied'), { status: 403 })
    })
    for (const _ of [1, 2]) expect((await ask()).status).toBe(403)
    expect(await manager.open(cookie).get('views')).toBe(2)
  })

  it('is given once: who answers twice is told, as without sessions', async () => {
    const { ask } = await start((request, response) => {
      sessionOf(request).set('views', 2)
      response.send('once')
      expect(() => response.send('and once more')).toThrow('after they are sent')
    })
    expect(await (await ask()).text()).toBe('once')
  })
})

describe('what V8 makes of a response', () => {
  setFlagsFromString('--allow-natives-syntax')
  const hasShape = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean
  const sessions = session() as RequestHandler
  const note: RequestHandler = (_request, response) => void response.end(String(hasShape(response)))
  const noted = async (listener: RequestListener) => (await fetch(await listen(listener))).text()

  it("A1: Express's is a dictionary where each would have hidden classes of its own", async () => {
    const areShared = Number.parseInt(process.versions.v8) >= 13
    expect(await noted(express().use(note))).toBe('true')
    expect(await noted(express().use(sessions, note))).toBe(String(areShared))
  })

  it.each([ServerResponse, class OwnResponse extends ServerResponse {}])(
    'A1: that of %o keeps the hidden classes that it shares',
    async (OfServer) => {
      const listener = (request: any, response: any) =>
        sessions(request, response, () => note(request, response, () => {}))
      const server = createServer({ ServerResponse: OfServer }, listener)
      expect(await (await fetch(await listen(server))).text()).toBe('true')
    },
  )
})
