import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
import { onTestFinished } from 'vitest'
import type { Session, SessionManager } from '../../src/core/index.ts'
import type { Build } from './build.ts'

export const adapters = ['Hono', 'Koa', 'fetch'] as const
export type Adapter = (typeof adapters)[number]

export interface AppOptions {
  /** Bytes of header that Node lets through; its own default is 16 KiB. */
  maxHeaderSize?: number
}

/** The application under attack, over HTTP until the test is over; gives its URL. */
export async function startApp(
  build: Build,
  adapter: Adapter,
  manager: SessionManager,
  options: AppOptions = {},
): Promise<string> {
  const server = createServer(options, listeners[adapter](build, manager))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  return `http://localhost:${(server.address() as AddressInfo).port}`
}

const listeners: Record<Adapter, (build: Build, manager: SessionManager) => RequestListener> = {
  Hono({ hono }, manager) {
    const app = new Hono().use(hono.session(manager))
    app.all('*', async (c) => answerTo(c.var.session, c.req.url, await c.req.text()))
    app.onError((error) => {
      if ('getResponse' in error) return (error.getResponse as () => Response)()
      return new Response('failed', { status: 500 })
    })
    return getRequestListener(app.fetch)
  },
  Koa({ koa }, manager) {
    const app = new Koa()
    app.silent = true
    app.use(koa.session(manager)).use(async (ctx) => {
      const answer = await answerTo(ctx.session, ctx.href, await text(ctx.req))
      ctx.set(Object.fromEntries(answer.headers))
      ctx.body = await answer.text()
    })
    return app.callback() as RequestListener
  },
  fetch({ fetch }, manager) {
    const app = fetch.withSession(manager, async (request, session) =>
      answerTo(session, request.url, await request.text()),
    )
    return getRequestListener((request) => app(request).catch(() => new Response('failed', { status: 500 })))
  },
}

/** Every page can be asked to say a `Cache-Control` of its own, as a careless handler would. */
async function answerTo(session: Session, url: string, body: string): Promise<Response> {
  const { pathname, searchParams } = new URL(url)
  const page = await pages[pathname]!(session, searchParams, body)
  const cacheControl = searchParams.get('cache')
  return new Response(page, { headers: cacheControl === null ? {} : { 'Cache-Control': cacheControl } })
}

type Page = (session: Session, query: URLSearchParams, body: string) => string | Promise<string>

const pages: Record<string, Page> = {
  '/untouched': () => 'the same for everybody',
  '/all': async (session) => JSON.stringify(await session.entries()),
  '/is-admin': async (session) => String((await session.entries())['isAdmin'] === true),
  '/set': (session, query) => {
    session.set(query.get('key')!, query.get('value'))
    return 'kept'
  },
  '/set-json': (session, _, body) => {
    for (const [key, value] of Object.entries(JSON.parse(body) as object)) session.set(key, value)
    return 'kept'
  },
  /** Changes what it read, and fails: nothing of it is saved. */
  '/add-and-fail': async (session, query) => {
    const list = (await session.get(query.get('key')!)) as unknown[]
    list.push(query.get('value'))
    throw new Error('no stock')
  },
  '/sign-in': (session, query) => {
    const user = query.get('user')!
    session.signIn(user, { label: 'Firefox on Linux' })
    session.set('user', user)
    return `hello, ${user}`
  },
  '/sign-out': (session) => {
    session.destroy()
    return 'goodbye'
  },
}
