import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import Fastify, { type FastifyInstance } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { session } from 'holdfast/hono'
import bunApp from './csrf/bun.ts'
import { app as expressApp } from './csrf/express.ts'
import { app as fastifyApp } from './csrf/fastify.ts'
import { app as honoApp } from './csrf/hono.ts'
import { app as koaApp } from './csrf/koa.ts'
import { app as otherOrigin } from './csrf/other-origin.ts'
import { mayBeForged } from './csrf/may-be-forged.ts'

const listenerOf = async (app: FastifyInstance): Promise<RequestListener> => {
  await app.ready()
  return (request, response) => app.routing(request, response)
}

/** Serves it for the tests of one `describe`; gives its origin. */
function useServer(listener: RequestListener | Promise<RequestListener>): () => string {
  const server = createServer()
  let origin: string
  beforeAll(async () => {
    koaApp.silent = true
    server.on('request', await listener)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    origin = `http://localhost:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => void server.close())
  return () => origin
}

async function statusOf(url: string, headers: Record<string, string>, method = 'POST'): Promise<number> {
  const init = { method, headers: { 'Content-Type': 'text/plain', ...headers } }
  return (await fetch(url, { ...init, ...(method === 'POST' && { body: '"rope"' }) })).status
}

const LIVE = 'https://shop.example'

describe.each<[string, RequestListener | Promise<RequestListener>, own: string | undefined, json: number]>([
  ['hono.ts', getRequestListener(honoApp.fetch), undefined, 200],
  ['koa.ts', koaApp.callback(), undefined, 403],
  ['express.ts', expressApp, LIVE, 403],
  ['fastify.ts', listenerOf(fastifyApp), LIVE, 403],
  ['bun.ts', getRequestListener(bunApp.fetch), LIVE, 403],
])('%s', (_, listener, named, statusOfUnnamedJson) => {
  const origin = useServer(listener)
  const order = (headers: Record<string, string>, method?: string) =>
    statusOf(`${origin()}/order`, headers, method)

  it('goes by Sec-Fetch-Site', async () => {
    expect(await order({ 'Sec-Fetch-Site': 'same-origin' })).toBe(200)
    for (const site of ['same-site', 'cross-site', 'none', 'Same-Origin', 'same-origin, cross-site']) {
      expect(await order({ 'Sec-Fetch-Site': site, Origin: 'http://blog.localhost' }), site).toBe(403)
    }
  })

  it('goes by Origin where there is no Sec-Fetch-Site', async () => {
    const own = named ?? origin()
    expect(await order({ Origin: own })).toBe(200)
    const others = [
      `${own}0`,
      own.replace(/^\w+/, (scheme) => (scheme === 'http' ? 'https' : 'http')),
      'null',
    ]
    for (const other of ['http://localhost', ...others]) {
      expect(await order({ Origin: other }), other).toBe(403)
    }
  })

  it('refuses a form that names neither', async () => {
    expect(await order({})).toBe(403)
    expect(await order({ 'Content-Type': 'application/x-www-form-urlencoded' })).toBe(403)
    expect(await order({ 'Content-Type': 'application/json' })).toBe(statusOfUnnamedJson)
  })

  it('lets pass from everywhere what must not change anything', async () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      expect(await order({ 'Sec-Fetch-Site': 'cross-site' }, method), method).not.toBe(403)
    }
  })
})

describe('hono.ts, and what no form sends', () => {
  it('passes JSON, and asks of a PUT or a DELETE that says no Content-Type, and of a form', async () => {
    const statusFor = async (method: string, type?: string) => {
      const headers = {
        Origin: 'https://evil.example',
        'Sec-Fetch-Site': 'cross-site',
        ...(type && { 'Content-Type': type }),
      }
      return (await honoApp.request('/order', { method, headers })).status
    }
    expect(await statusFor('POST', 'application/json')).toBe(200)
    for (const method of ['PUT', 'DELETE']) {
      expect(await statusFor(method, 'application/json'), method).toBe(404)
      expect(await statusFor(method), method).toBe(403)
      expect(await statusFor(method, 'text/plain'), method).toBe(403)
    }
  })
})

describe('other-origin.ts', () => {
  const page = 'https://app.shop.example'
  const order = (Origin: string, site: string, type = 'text/plain') =>
    otherOrigin.request('/order', {
      method: 'POST',
      headers: { Origin, 'Sec-Fetch-Site': site, 'Content-Type': type },
    })

  it('answers the pages that it names, which may read it, and no others', async () => {
    for (const site of ['same-site', 'cross-site']) {
      const { status, headers } = await order(page, site)
      expect(status).toBe(200)
      expect(headers.get('Access-Control-Allow-Origin')).toBe(page)
      expect(headers.get('Access-Control-Allow-Credentials')).toBe('true')
      expect(headers.get('Vary')).toMatch(/Origin/)
      expect(headers.getSetCookie()[0]).toMatch(/SameSite=Lax/)
    }
    const blog = await order('https://blog.shop.example', 'same-site')
    expect([blog.status, blog.headers.get('Access-Control-Allow-Origin')]).toEqual([403, null])
  })

  it('tells the browser no, which asks before others send JSON', async () => {
    const mayAsk = async (Origin: string) => {
      const headers = { Origin, 'Access-Control-Request-Method': 'POST' }
      const { headers: answer } = await otherOrigin.request('/order', { method: 'OPTIONS', headers })
      return answer.get('Access-Control-Allow-Origin')
    }
    expect(await mayAsk(page)).toBe(page)
    expect(await mayAsk('https://blog.shop.example')).toBeNull()
  })

  it('is for Express, Koa, Fastify and Bun the function and a list', () => {
    const isRefused = (origin: string) => {
      const request = { method: 'POST', headers: { origin, 'sec-fetch-site': 'same-site' } }
      return mayBeForged(request, LIVE) && ![page].includes(request.headers.origin)
    }
    expect([isRefused(page), isRefused('https://blog.shop.example')]).toEqual([false, true])
  })

  it('of another site has its cookie with SameSite=None and Partitioned', async () => {
    const sessions = session({ cookie: { sameSite: 'none', partitioned: true } })
    const app = new Hono().use(sessions).post('/', (c) => c.text(String(c.var.session.signIn('u1'))))
    const answer = await app.request('/', { method: 'POST' })
    expect(answer.headers.getSetCookie()[0]).toMatch(
      /^__Host-.*; Secure; HttpOnly; SameSite=None; Partitioned$/,
    )
  })
})

describe('may-be-forged.ts', () => {
  it('looks at every other method', () => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'get', undefined]) {
      expect(mayBeForged({ method, headers: {} }, LIVE), method).toBe(true)
      expect(mayBeForged({ method, headers: { origin: LIVE } }, LIVE), method).toBe(false)
    }
  })

  it('takes nobody for a page of ours where the own origin is not known', () => {
    for (const unset of ['', undefined as unknown as string]) {
      expect(mayBeForged({ method: 'POST', headers: {} }, unset)).toBe(true)
      expect(mayBeForged(new Request(LIVE, { method: 'POST' }), unset)).toBe(true)
    }
  })

  it('is the same in the example', () => {
    const [page, example] = ['test/recipes/csrf', 'examples/node'].map((folder) =>
      readFileSync(`${folder}/may-be-forged.ts`, 'utf8'),
    )
    expect(example).toBe(page)
  })
})

/** The own origin taken from the request, with and without what makes a proxy known. */
const derived: Record<string, (isTrusted: boolean) => RequestListener | Promise<RequestListener>> = {
  Koa(isTrusted) {
    const app = new Koa({ proxy: isTrusted })
    app.use((ctx) => void (ctx.status = mayBeForged(ctx, ctx.URL.origin) ? 403 : 200))
    return app.callback()
  },
  Express(isTrusted) {
    const app = express()
    if (isTrusted) app.set('trust proxy', 1)
    return app.use((request, response) => {
      const isForged = mayBeForged(request, `${request.protocol}://${request.host}`)
      response.sendStatus(isForged ? 403 : 200)
    })
  },
  Fastify(isTrusted) {
    const app = Fastify({ trustProxy: isTrusted })
    app.post('/order', async (request, reply) => {
      const isForged = mayBeForged(request, `${request.protocol}://${request.host}`)
      return reply.code(isForged ? 403 : 200).send()
    })
    return listenerOf(app)
  },
}

describe.each(Object.entries(derived))('%s behind a proxy that ends TLS', (_, listenerFor) => {
  const trusting = useServer(listenerFor(true))
  const other = useServer(listenerFor(false))

  it('knows its own origin once it trusts the proxy', async () => {
    const headers = { Origin: trusting().replace('http:', 'https:'), 'X-Forwarded-Proto': 'https' }
    expect(await statusOf(`${trusting()}/order`, headers)).toBe(200)
    expect(await statusOf(`${trusting()}/order`, { ...headers, Origin: trusting() })).toBe(403)
    const untold = { ...headers, Origin: other().replace('http:', 'https:') }
    expect(await statusOf(`${other()}/order`, untold)).toBe(403)
    expect(await statusOf(`${other()}/order`, { Origin: other() })).toBe(200)
  })
})

describe('a POST of a test, by app.request', () => {
  const order = (headers: HeadersInit) => honoApp.request('/order', { method: 'POST', headers })

  it('comes from no page, unless it says what a browser would', async () => {
    expect((await order({})).status).toBe(403)
    expect((await order({ 'Sec-Fetch-Site': 'same-origin' })).status).toBe(200)
  })
})
