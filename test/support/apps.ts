import { AsyncLocalStorage } from 'node:async_hooks'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import Koa from 'koa'
// @ts-expect-error It brings no types; those of Koa 3 serve.
import Koa2 from 'koa-2'
import { session as honoSession } from '../../src/adapters/hono.ts'
import { session as koaSession } from '../../src/adapters/koa.ts'
import { session as nodeSession, type SessionRequest } from '../../src/adapters/node.ts'
import { withSession } from '../../src/adapters/fetch.ts'
import type { Session, SessionEvent, SessionManager } from '../../src/core/index.ts'
import { ResponseRules, type Received, type Sighting } from './response-rules.ts'

/** What a route of the suite answers, in words that every framework can say. */
export interface Answer {
  status?: number
  body?: string
  headers?: Record<string, string>
}

export type Route = (session: Session, request: { query: URLSearchParams }) => Answer | Promise<Answer>

export interface App {
  url: string
  /** One request. Rejects when its response breaks a rule; pass `tellEvent` to the manager for that. */
  fetch(path: string, init?: RequestInit): Promise<Received>
  close(): Promise<void>
}

/** Starts an adapter; its responses are held to the rules, of which several applications may share a set. */
type Start = (manager: SessionManager, routes: Record<string, Route>, rules?: ResponseRules) => Promise<App>

/** The adapters, each serving the same routes over HTTP; the session middleware is mounted twice, to join itself. */
export const adapters: { name: string; start: Start }[] = [
  { name: 'Hono', start: startHono },
  { name: 'Koa', start: koaOf(Koa) },
  { name: 'fetch', start: startFetch },
  { name: 'node', start: startNode },
]

/** These, and Koa 2, which many still have. */
export const adaptersAndOlder: typeof adapters = [...adapters, { name: 'Koa 2', start: koaOf(Koa2) }]

/** What is seen of the request that is being served. */
const sightings = new AsyncLocalStorage<Sighting>()

/** The `onEvent` of a manager whose applications are held to the rules. */
export function tellEvent(event: SessionEvent): void {
  sightings.getStore()?.events.push(event)
}

function startHono(
  manager: SessionManager,
  routes: Record<string, Route>,
  rules?: ResponseRules,
): Promise<App> {
  const app = new Hono()
    .use(async (c, next) => {
      await next()
      c.header('X-Outer', 'yes')
    })
    .use(honoSession(manager))
    .use(honoSession(manager))
  for (const [path, route] of Object.entries(routes)) {
    app.all(path, async (c) => {
      const url = new URL(c.req.url)
      const { status, body, headers } = await answer(route, c.var.session, url.searchParams)
      if (headers['Location']) return Response.redirect(new URL(headers['Location'], url), status)
      for (const [name, value] of Object.entries(headers)) c.header(name, value)
      return c.body(body, status as 200)
    })
  }
  app.onError((error, c) => {
    sightings.getStore()?.errors.push(error)
    if ('getResponse' in error) return (error.getResponse as () => Response)()
    return c.text('failed', ((error as { status?: number }).status ?? 500) as 500)
  })
  const fetch = async (request: Request) => app.fetch(request)
  return listen(
    getRequestListener((request) => fetch(request).catch(answerOutside)),
    rules,
  )
}

function koaOf(Application: typeof Koa): Start {
  return (manager, routes, rules) => {
    const app = new Application()
    // Takes the place of Koa's own, which writes to the console.
    app.on('error', (error) => sightings.getStore()?.errors.push(error))
    const served = app
      .use(async (ctx, next) => {
        ctx.set('X-Outer', 'yes')
        await next()
      })
      .use(koaSession(manager))
      .use(koaSession(manager))
    served.use(async (ctx) => {
      const { status, body, headers } = await answer(routes[ctx.path], ctx.session, ctx.URL.searchParams)
      ctx.status = status
      ctx.set(headers)
      ctx.body = body
    })
    return listen(app.callback(), rules)
  }
}

function startFetch(
  manager: SessionManager,
  routes: Record<string, Route>,
  rules?: ResponseRules,
): Promise<App> {
  const inner = withSession(manager, async (request, session) => {
    const url = new URL(request.url)
    try {
      const { status, body, headers } = await answer(routes[url.pathname], session, url.searchParams)
      if (headers['Location']) return Response.redirect(new URL(headers['Location'], url), status)
      return new Response(body, { status, headers })
    } catch (error) {
      // Plain fetch has nobody else to answer errors, so the handler does.
      if (error instanceof Error && 'getResponse' in error) throw error
      sightings.getStore()?.errors.push(error)
      return new Response('failed', { status: (error as { status?: number })?.status ?? 500 })
    }
  })
  const outer = withSession(manager, (request) => inner(request))
  return listen(
    getRequestListener((request) => outer(request).catch(answerOutside)),
    rules,
  )
}

function startNode(
  manager: SessionManager,
  routes: Record<string, Route>,
  rules?: ResponseRules,
): Promise<App> {
  const note = (error: unknown) => void sightings.getStore()?.errors.push(error)
  const sessions = nodeSession(manager, { onError: note })
  const handle = async (request: IncomingMessage & Partial<SessionRequest>, response: ServerResponse) => {
    const url = new URL(request.url!, 'http://localhost')
    response.setHeader('X-Outer', 'yes')
    try {
      const { status, body, headers } = await answer(routes[url.pathname], request.session!, url.searchParams)
      response.writeHead(status, headers).end(body)
    } catch (error) {
      // node:http has nobody else to answer errors, so the handler does.
      note(error)
      const { status = 500, headers } = (error ?? {}) as { status?: number; headers?: Record<string, string> }
      response.writeHead(status, { ...headers, 'Content-Type': 'text/plain' })
      response.end(status === 503 ? 'Service Unavailable' : 'failed')
    }
  }
  return listen((request, response) => {
    sessions(request, response, () => sessions(request, response, () => void handle(request, response)))
  }, rules)
}

async function answer(
  route: Route | undefined,
  session: Session,
  query: URLSearchParams,
): Promise<Required<Answer>> {
  const sighting = sightings.getStore()
  const given = sighting ? watched(session, sighting.calls) : session
  const { status = 200, body = '', headers = {} } = (await route?.(given, { query })) ?? { status: 404 }
  if (sighting) sighting.headers = headers
  return { status, body, headers }
}

/** The session as the handler gets it, which notes what is called. */
function watched(session: Session, calls: string[]): Session {
  return new Proxy(session, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        calls.push(String(name))
        return Reflect.apply(member, target, args) as unknown
      }
    },
  })
}

/** What got past every middleware. */
function answerOutside(error: unknown): Response {
  const sighting = sightings.getStore()
  sighting?.errors.push(error)
  if (sighting) sighting.isAnsweredOutside = true
  return new Response('failed', { status: 500 })
}

/** Says which request a sighting is of; only the tests' own client sends it. */
const SIGHTING_HEADER = 'x-sighting'

async function listen(listener: RequestListener, rules: ResponseRules = new ResponseRules()): Promise<App> {
  const seen = new Map<string, Sighting>()
  const server = createServer((request, response) => {
    const id = request.headers[SIGHTING_HEADER]
    if (typeof id !== 'string') return listener(request, response)
    const sighting = { calls: [], headers: {}, events: [], errors: [], isAnsweredOutside: false }
    seen.set(id, sighting)
    sightings.run(sighting, listener, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://localhost:${(server.address() as AddressInfo).port}`
  let requests = 0
  return {
    url,
    fetch(path, init = {}) {
      const id = String(++requests)
      const headers = new Headers(init.headers)
      headers.set(SIGHTING_HEADER, id)
      return rules.fetch(`${url}${path}`, { ...init, headers }, () => {
        const sighting = seen.get(id)
        if (!sighting) throw new Error(`${path} was answered by somebody else`)
        return sighting
      })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
