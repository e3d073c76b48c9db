import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
import { session as honoSession } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import { withSession } from '../../src/adapters/fetch.ts'
import type { Session, SessionManager } from '../../src/core/index.ts'

/** What a route of the suite answers, in words that every framework can say. */
export interface Answer {
  status?: number
  body?: string
  headers?: Record<string, string>
}

export type Route = (session: Session, request: { query: URLSearchParams }) => Answer | Promise<Answer>

export interface App {
  url: string
  close(): Promise<void>
}

/** The adapters, each serving the same routes over HTTP; the session middleware is mounted twice, to join itself. */
export const adapters: {
  name: string
  start(manager: SessionManager, routes: Record<string, Route>): Promise<App>
}[] = [
  { name: 'Hono', start: startHono },
  { name: 'Koa', start: startKoa },
  { name: 'fetch', start: startFetch },
]

function startHono(manager: SessionManager, routes: Record<string, Route>): Promise<App> {
  const app = new Hono()
    .use(async (c, next) => {
      await next()
      c.header('X-Outer', 'yes')
    })
    .use(honoSession(manager))
    .use(honoSession(manager))
  for (const [path, route] of Object.entries(routes)) {
    app.all(path, async (c) => {
      const {
        status = 200,
        body = '',
        headers = {},
      } = await route(c.var.session, {
        query: new URL(c.req.url).searchParams,
      })
      if (headers['Location']) return Response.redirect(new URL(headers['Location'], c.req.url), status)
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
      return c.body(body, status as 200)
    })
  }
  app.onError((error, c) => {
    if ('getResponse' in error) return (error.getResponse as () => Response)()
    return c.text('failed', ((error as { status?: number }).status ?? 500) as 500)
  })
  return listen(createServer(getRequestListener(app.fetch)))
}

function startKoa(manager: SessionManager, routes: Record<string, Route>): Promise<App> {
  const app = new Koa()
  app.silent = true
  const served = app
    .use(async (ctx, next) => {
      ctx.set('X-Outer', 'yes')
      await next()
    })
    .use(koaSession(manager))
    .use(koaSession(manager))
  served.use(async (ctx) => {
    const {
      status = 200,
      body = '',
      headers = {},
    } = (await routes[ctx.path]?.(ctx.session, {
      query: ctx.URL.searchParams,
    })) ?? { status: 404 }
    ctx.status = status
    ctx.set(headers)
    ctx.body = body
  })
  return listen(createServer(app.callback()))
}

function startFetch(manager: SessionManager, routes: Record<string, Route>): Promise<App> {
  const inner = withSession(manager, async (request, session) => {
    const url = new URL(request.url)
    try {
      const answer = await routes[url.pathname]?.(session, { query: url.searchParams })
      const { status = 200, body = '', headers = {} } = answer ?? { status: 404 }
      if (headers['Location']) return Response.redirect(new URL(headers['Location'], url), status)
      return new Response(body, { status, headers })
    } catch (error) {
      // Plain fetch has nobody else to answer errors, so the handler does.
      if (error instanceof Error && 'getResponse' in error) throw error
      return new Response('failed', { status: (error as { status?: number })?.status ?? 500 })
    }
  })
  const outer = withSession(manager, (request) => inner(request))
  const app = (request: Request) => outer(request).catch(() => new Response('failed', { status: 500 }))
  return listen(createServer(getRequestListener(app)))
}

async function listen(server: Server): Promise<App> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
