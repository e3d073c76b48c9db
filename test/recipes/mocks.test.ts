import { afterEach, describe, expect, it } from 'vitest'
import express from 'express'
import Fastify from 'fastify'
import { createSessionManager, type SessionManager } from 'holdfast'
import { session, type SessionRequest } from 'holdfast/node'
import { issueSession, readSession } from 'holdfast/testing'
import { createMocks } from 'node-mocks-http'
import supertest from 'supertest'
import { addSessions } from './fastify/fastify.ts'

type Data = { userId: string; messages: number }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end()
})

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
