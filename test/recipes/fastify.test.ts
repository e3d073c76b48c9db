import { describe, expect, it } from 'vitest'
import Fastify, { type FastifyInstance } from 'fastify'
import { createSessionManager, type SessionManager } from 'holdfast'
import { issueSession, readSession } from 'holdfast/testing'
import { countsViewsAndSignsIn, listen } from '../support/recipes.ts'
import { signedIn } from '../support/signed-in.ts'
import { failing } from '../support/tampered-store.ts'
import { addSessions, app } from './fastify/fastify.ts'

async function begin() {
  const { manager, store, cookie } = await signedIn()
  const app = Fastify()
  addSessions(app, manager as SessionManager<never>)
  app.get('/redirects', async (request, reply) => {
    request.session.set('views', 2)
    return reply.header('ETag', '"abc"').redirect('/elsewhere')
  })
  app.get('/denies', async (request) => {
    await request.session.update('views', (n = 0) => n + 1)
    throw Object.assign(new Error('denied'), { status: 403 })
  })
  app.get('/map', async (request) => request.session.set('views', new Map() as never))
  const ask = (url: string) => app.inject({ url, headers: { cookie } })
  return { app, manager, store, cookie, ask }
}

describe('Fastify', () => {
  it('counts views, signs in under a new token, and out', async () => {
    await app.ready()
    const url = await listen((request, response) => app.routing(request, response))
    await countsViewsAndSignsIn((path, init) => fetch(url + path, init))
  })

  it('D8: a commit that fails is a 503 with nothing of the answer', async () => {
    const { store, ask } = await begin()
    store.before = failing('replace', 9)
    const { statusCode, headers, body } = await ask('/redirects')
    expect([statusCode, headers['cache-control'], headers['retry-after']]).toEqual([503, 'no-store', '1'])
    for (const name of ['location', 'etag', 'set-cookie']) expect(headers[name]).toBeUndefined()
    expect(body).not.toContain('elsewhere')
  })

  it('D3: an error below 500 is an answer: attempts are counted', async () => {
    const { manager, cookie, ask } = await begin()
    for (const _ of [1, 2]) expect((await ask('/denies')).statusCode).toBe(403)
    expect(await manager.open(cookie).get('views')).toBe(2)
  })

  it('D7: an error handler hears of what could not be saved', async () => {
    const { app, store, ask } = await begin()
    app.setErrorHandler((error: { code?: string }, _request, reply) => reply.code(500).send(error.code))
    expect((await ask('/map')).body).toBe('ERR_SESSION_NOT_SERIALIZABLE')
    store.before = failing('get', 9)
    expect((await ask('/denies')).body).toBe('ERR_STORE_UNAVAILABLE')
  })

  it('serves plugins, whether they are registered before or after, and answers of hooks before it', async () => {
    const manager = createSessionManager<{ views: number }>()
    const app = Fastify()
    app.addHook('onRequest', async (request) => {
      if (request.url === '/refused') throw Object.assign(new Error('too many'), { statusCode: 429 })
    })
    const plugin = (path: string) => async (child: FastifyInstance) => {
      child.get(path, async (request) => request.session.update('views', (n = 0) => n + 1))
    }
    await app.register(plugin('/before'))
    addSessions(app, manager)
    await app.register(plugin('/after'))
    const cookie = await issueSession(manager, { views: 1 })
    const ask = async (url: string) => (await app.inject({ url, headers: { cookie } })).json()
    expect(await ask('/before')).toBe(2)
    expect(await ask('/after')).toBe(3)
    expect(await ask('/refused')).toMatchObject({ statusCode: 429, message: 'too many' })
  })

  it('D5: refuses a second session under the name when the application is made', () => {
    const app = Fastify()
    const manager = createSessionManager<{ views: number }>()
    addSessions(app, manager)
    expect(() => addSessions(app, manager)).toThrow("'session' has already been added")
  })

  it('readSession takes what inject answers', async () => {
    const { app, manager } = await begin()
    app.post('/cart', async (request) => request.session.set('views', 1))
    const answered = await app.inject({ method: 'POST', url: '/cart' })
    expect(await readSession(manager, answered)).toEqual({ views: 1 })
  })
})
