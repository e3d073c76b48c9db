import { describe, expect, it } from 'vitest'
import express from 'express'
import { session } from 'holdfast/node'
import { readSession } from 'holdfast/testing'
import { createMocks } from 'node-mocks-http'
import supertest from 'supertest'
import { begin, sessionOf, type Data } from '../support/user-with-messages.ts'

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

  it("readSession takes supertest's response", async () => {
    const { manager, cookie } = await begin()
    const app = express().use(session(manager))
    app.post('/sign-in', (request, response) => {
      sessionOf(request).signIn('u1')
      response.sendStatus(204)
    })
    const signedIn = await supertest(app).post('/sign-in').set('Cookie', cookie)
    expect(await readSession(manager, signedIn)).toEqual({ userId: 'u1' })
    await expect(readSession(manager, await supertest(app).get('/'))).rejects.toThrow('hand in the Cookie')
  })
})
