import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { session as honoSession } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import { session as nodeSession } from '../../src/adapters/node.ts'
import { createSessionManager, MemoryStore, type SessionManager } from '../../src/core/index.ts'
import { adapters } from '../support/apps.ts'
import { secret } from '../support/stores.ts'
import { TamperedStore } from '../support/tampered-store.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

let store: TamperedStore
let manager: SessionManager
beforeEach(() => {
  store = new TamperedStore(new MemoryStore())
  manager = createSessionManager({ store, secret, onEvent() {} })
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  ends.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** What a mistake is answered with, word by word. */
function said(mistake: () => unknown): string {
  try {
    mistake()
    return 'silence'
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}

const sloppy = (code: string) => new Function('holder', code) as (holder: any) => unknown

describe.each(adapters)('$name', ({ start }) => {
  it('L2: a property written on the session is not lost in silence', async () => {
    const app = await start(manager, {
      '/': (session) => ({
        body: [sloppy("holder.user = 'u1'"), (holder: any) => (holder.userId = 'u1')]
          .map((write) => said(() => write(session)))
          .join('\n'),
      }),
      '/uncaught': (session) => {
        session.set('before', 1)
        sloppy('holder.views = 1')(session)
        return {}
      },
    })
    ends.push(app.close)
    expect((await app.fetch('/')).body).toBe(
      [
        "TypeError: a session has no property user: write session.set('user', value)",
        'TypeError: a session has no property userId to write: write session.signIn(userId)',
      ].join('\n'),
    )
    expect((await app.fetch('/uncaught')).status).toBe(500)
    expect(store.keys).toEqual([])
  })
})

const assignments: [string, (holder: any) => unknown][] = [
  ['null', (holder) => (holder.session = null)],
  ['null, in sloppy code', sloppy('holder.session = null')],
  ['an object', sloppy("holder.session = { userId: 'u1' }")],
  ['undefined', (holder) => (holder.session = undefined)],
  ['by Object.assign', (holder) => Object.assign(holder, { session: {} })],
]
const ADVICE =
  /^TypeError: (ctx|request)\.session is not .* session\.signIn\(userId\) .* session\.destroy\(\) .* session\.set\(key, value\)/

describe('a session assigned over', () => {
  it.each(assignments)('L2: throws where it is written, on Koa: %s', async (_, assign) => {
    const app = new Koa().use(koaSession(manager))
    app.use((ctx) => {
      ctx.body = said(() => assign(ctx))
      Object.assign(ctx, { session: ctx.session })
      ctx.session.set('user', 'u1')
    })
    const response = await fetch(await listen(app.callback()))
    expect(await response.text()).toMatch(ADVICE)
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  it.each(assignments)('L2: throws where it is written, on node: %s', async (_, assign) => {
    const sessions = nodeSession(manager)
    const url = await listen((request: any, response) =>
      sessions(request, response, () => {
        const words = said(() => assign(request))
        request.session.set('user', 'u1')
        response.end(words)
      }),
    )
    const response = await fetch(url)
    expect(await response.text()).toMatch(ADVICE)
    expect(response.headers.getSetCookie()).toHaveLength(1)
  })

  it.each([
    ['null', true, null],
    ['an object', true, { userId: 'u1' }],
    ['undefined', false, undefined],
    ['null, of a session not touched', false, null],
  ])('L2: rejects the commit, on Hono: %s', async (_, isTouched, value) => {
    const failures: unknown[] = []
    const app = new Hono<{ Variables: { session: any } }>().use(honoSession(manager)).get('/', (c) => {
      if (isTouched) c.get('session').set('user', 'u1')
      c.set('session', value)
      c.header('ETag', '"of the page"')
      return c.text('signed in')
    })
    app.onError((error, c) => {
      failures.push(String(error))
      return c.text('failed', 500)
    })
    const response = await app.request('/')
    expect([response.status, response.headers.get('ETag'), await response.text()]).toEqual([
      500,
      null,
      'failed',
    ])
    expect(failures).toEqual([expect.stringMatching(/^TypeError: c\.var\.session is not .* session\.set/)])
    expect([response.headers.getSetCookie(), store.keys]).toEqual([[], []])
  })

  it("L2: on Hono the handler's own failure is told instead", async () => {
    const failures: unknown[] = []
    const app = new Hono<{ Variables: { session: any } }>().use(honoSession(manager)).get('/', (c) => {
      c.set('session', null)
      throw new Error('of the handler')
    })
    app.onError((error, c) => {
      failures.push(String(error))
      return c.text('failed', 500)
    })
    await app.request('/')
    expect(failures).toEqual(['Error: of the handler'])
  })

  it('L2: what stands on the context of a route without a session is its own', async () => {
    const app = new Koa()
    app.use(async (ctx, next) => {
      if (ctx.path === '/none') {
        ctx['session'] = 'mine'
        ctx.body = ctx['session']
      } else await next()
    })
    app.use(koaSession(manager)).use((ctx) => {
      ctx.body = typeof ctx.session.get
    })
    const url = await listen(app.callback())
    expect(await (await fetch(url)).text()).toBe('function')
    expect(await (await fetch(`${url}none`)).text()).toBe('mine')
  })

  it('L2: a null that was there before hides no session', async () => {
    const app = new Koa()
    app.use((ctx, next) => {
      ctx['session'] = null
      return next()
    })
    app.use(koaSession(manager)).use((ctx) => {
      ctx.body = typeof ctx.session.get
    })
    const url = await listen(app.callback())
    for (const _ of [1, 2]) expect(await (await fetch(url)).text()).toBe('function')
  })
})
