import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import express from 'express'
import Fastify from 'fastify'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { createSessionManager, type SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import { issueSession, readSession } from 'holdfast/testing'
import { createMocks } from 'node-mocks-http'
import supertest from 'supertest'
import { addSessions } from './fastify/fastify.ts'
import { startShop } from './koa/vite.ts'

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

/** A manager, and the cookie of a visitor who is signed in. */
async function begin() {
  const manager = createSessionManager<Data>()
  const cookie = await issueSession(manager, { userId: 'u1' }, { user: 'u1' })
  return { manager, cookie, read: () => manager.open(cookie).entries() }
}

const sessionOf = (request: object) => (request as SessionRequest<Data>).session

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

describe('Koa with ctx.respond = false, behind holdfast/node', () => {
  it('D10: what vite answers carries the cookie, and the session is saved before', async () => {
    const root = mkdtempSync(join(tmpdir(), 'holdfast-vite-'))
    writeFileSync(join(root, 'index.html'), '<title>the shop</title>')
    writeFileSync(join(root, 'cart.js'), 'export const cart = []')
    ends.push(() => rmSync(root, { recursive: true }))
    const { server, vite } = await startShop(root)
    ends.push(() => vite.close())
    const url = await listen(server)
    const page = await fetch(url)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('the shop')])
    const cookie = page.headers.getSetCookie()[0]!.split(';')[0]!
    const script = await fetch(`${url}/cart.js`, { headers: { cookie } })
    expect(await script.text()).toContain('export const cart')
    expect(script.headers.getSetCookie()).toEqual([])
    const views = await fetch(`${url}/views`, { headers: { cookie } })
    expect(await views.text()).toBe('view 3')
  })
})

describe('Hono with RESPONSE_ALREADY_SENT, behind holdfast/node', () => {
  it('D10: what the handler sends by itself carries the cookie, and the session is saved before', async () => {
    const sessions = session()
    const app = new Hono<{ Bindings: HttpBindings }>().get('/', async (c) => {
      const views = await sessionOf(c.env.incoming).update('messages', (n = 0) => n + 1)
      c.env.outgoing.writeHead(200, { 'Content-Type': 'text/plain' }).end(`view ${views}`)
      return RESPONSE_ALREADY_SENT
    })
    const listener = getRequestListener(app.fetch)
    const server = createServer((request, response) => {
      sessions(request, response, () => void listener(request, response))
    })
    const url = await listen(server)
    const first = await fetch(url)
    expect(await first.text()).toBe('view 1')
    const cookie = first.headers.getSetCookie()[0]!.split(';')[0]!
    expect(await (await fetch(url, { headers: { cookie } })).text()).toBe('view 2')
  })
})
