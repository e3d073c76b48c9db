import express from 'express'
import { createSessionManager, type SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import { issueSession, readSession } from 'holdfast/testing'
import supertest from 'supertest'
import { expect, it } from 'vitest'

type Data = { views: number }

function createApp(manager: SessionManager<Data>) {
  const app = express().use(session(manager))
  app.get('/', async (request, response) => {
    response.send(`view ${await request.session.update('views', (n = 0) => n + 1)}`)
  })
  app.post('/login', (request, response) => {
    request.session.signIn('u1')
    response.redirect('/')
  })
  return app
}

it('counts the views of a user', async () => {
  const manager = createSessionManager<Data>()
  const cookie = await issueSession(manager, { views: 7 }, { user: 'u1' })
  await supertest(createApp(manager)).get('/').set('Cookie', cookie).expect(200, 'view 8')
  expect(await readSession(manager, cookie)).toEqual({ views: 8 })
})

it('signs in', async () => {
  const manager = createSessionManager<Data>()
  const response = await supertest(createApp(manager)).post('/login').expect(302)
  expect(await readSession(manager, response)).toEqual({})
})

it('counts from one request to the next', async () => {
  const manager = createSessionManager<Data>({ cookie: { secure: false } })
  const agent = supertest.agent(createApp(manager))
  await agent.get('/').expect('view 1')
  await agent.get('/').expect('view 2')
})
