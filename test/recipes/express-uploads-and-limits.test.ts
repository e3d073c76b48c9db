import { once } from 'node:events'
import { request as ask } from 'node:http'
import { beforeEach, describe, expect, it } from 'vitest'
import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { createSessionManager, type SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import { issueSession } from 'holdfast/testing'
import multer from 'multer'
import { listen } from '../support/recipes.ts'
import { addFlash, takeFlash } from './express/flash.ts'
import { limitFailedSignIns, limitRequests } from './express/limits.ts'
import { uploads } from './express/uploads.ts'

type Data = { views: number; flash: string[] }
let manager: SessionManager<Data>
beforeEach(() => {
  manager = createSessionManager<Data>()
})

const viewsOf = (cookie: string) => manager.open(cookie).get('views')
const countView: RequestHandler = async (request, _response, next) => {
  await request.session.update('views', (n = 0) => n + 1)
  next()
}
const quiet: ErrorRequestHandler = (error, _request, response, _next) => {
  response.sendStatus(error.status ?? 500)
}
const signedInApp = () => express().use(session(manager), countView)

describe('a flash message', () => {
  const commit = (each: ReturnType<typeof manager.open>) =>
    manager.commit(each, () => ({ status: 200, headers: new Headers() }))

  it('is read once, and none of parallel requests is lost', async () => {
    const cookie = await issueSession(manager, { views: 7 })
    const sessions = ['one', 'two', 'three'].map((text) => {
      const each = manager.open(cookie)
      void addFlash(each, text)
      return each
    })
    await Promise.all(sessions.map(commit))
    const reading = manager.open(cookie)
    expect((await takeFlash(reading)).toSorted()).toEqual(['one', 'three', 'two'])
    await commit(reading)
    expect(await takeFlash(manager.open(cookie))).toEqual([])
  })

  it('may follow a sign-out, in a session of its own', async () => {
    const cookie = await issueSession(manager, { views: 7 }, { user: 'u1' })
    const leaving = manager.open(cookie)
    const headers = new Headers()
    leaving.destroy()
    await addFlash(leaving, 'You have signed out')
    await manager.commit(leaving, () => ({ status: 302, headers }))
    const next = manager.open(headers.getSetCookie()[0]!.split(';')[0])
    expect([await next.userId(), await next.entries()]).toEqual([
      undefined,
      { flash: ['You have signed out'] },
    ])
  })
})

describe('an upload', () => {
  const post = (url: string, cookie: string, bytes: number) => {
    const body = new FormData()
    body.set('file', new Blob([new Uint8Array(bytes)]), 'photo.png')
    return fetch(`${url}/photos`, { method: 'POST', body, headers: { cookie } })
  }

  it.each([
    ['of the size allowed', 1_000_000, 200],
    ['that is larger', 1_000_001, 413],
  ])('D3: %s leaves what was written before it', async (_, bytes, status) => {
    const url = await listen(signedInApp().use(uploads))
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    expect((await post(url, cookie, bytes)).status).toBe(status)
    expect(await viewsOf(cookie)).toBe(1)
  })

  it.each([
    ['more fields', (body: FormData) => Array.from({ length: 11 }, (_, n) => body.set(`field ${n}`, ''))],
    ['a larger field', (body: FormData) => body.set('title', 'a'.repeat(10_001))],
    ['a second file', (body: FormData) => body.append('file', new Blob(['b']), 'second.png')],
  ])('with %s than is allowed is refused', async (_, add) => {
    const url = await listen(signedInApp().use(uploads))
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    const body = new FormData()
    add(body)
    body.append('file', new Blob(['a']), 'photo.png')
    const { status } = await fetch(`${url}/photos`, { method: 'POST', body, headers: { cookie } })
    expect(status).toBe(400)
  })

  it('of a stranger is refused before it is read', async () => {
    const response = await post(await listen(signedInApp().use(uploads)), '', 1)
    expect(response.status).toBe(401)
  })

  it('D3: that multer refuses and nobody answers is a 500, and what was written is dropped', async () => {
    const receive = multer({ limits: { fileSize: 1 } }).single('file')
    const url = await listen(signedInApp().post('/photos', receive).use(quiet))
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    expect((await post(url, cookie, 2)).status).toBe(500)
    expect(await viewsOf(cookie)).toBeUndefined()
  })

  it.each([
    ['keeps what others write meanwhile', 'set', { views: 8 }],
    ['brings back no session that ended meanwhile', 'destroy', {}],
  ] as const)('that takes its time %s', async (_, meanwhile, data) => {
    const app = express().use(session(manager))
    let begun = () => {}
    const hasBegun = new Promise<void>((resolve) => (begun = resolve))
    app.use(async (request, _response, next) => {
      await request.session.userId()
      begun()
      next()
    })
    app.post(
      '/photos',
      multer().single('file'),
      countView,
      (_request, response) => void response.send('saved'),
    )
    const url = await listen(app)
    const cookie = await issueSession(manager, {}, { user: 'u1' })

    const headers = { cookie, 'Content-Type': 'multipart/form-data; boundary=b' }
    const upload = ask(`${url}/photos`, { method: 'POST', headers })
    upload.write('--b\r\nContent-Disposition: form-data; name="file"; filename="photo.png"\r\n\r\nabc')
    await hasBegun
    const other = manager.open(cookie)
    if (meanwhile === 'set') other.set('views', 7)
    else other.destroy()
    await manager.commit(other, () => ({ status: 200, headers: new Headers() }))
    upload.end('def\r\n--b--\r\n')
    const [answer] = await once(upload, 'response')
    answer.resume()
    expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([200, undefined])
    expect(await manager.open(cookie).entries()).toEqual(data)
  })
})

describe('limits', () => {
  it('D3: count a user for himself, others by address, and a 429 is an answer', async () => {
    const app = signedInApp().use(limitRequests)
    app.get('/', (_request, response) => void response.send('served'))
    const url = await listen(app)
    const visit = async (cookie: string) => (await fetch(url, { headers: { cookie } })).status
    const alice = await issueSession(manager, {}, { user: 'alice' })
    for (let n = 0; n < 100; n++) expect(await visit(alice)).toBe(200)
    expect(await visit(alice)).toBe(429)
    expect(await viewsOf(alice)).toBe(101)
    expect(await visit(await issueSession(manager, {}, { user: 'bob' }))).toBe(200)
    for (const cookie of ['', await issueSession(manager, { views: 7 }), '']) await visit(cookie)
    expect(await limitRequests.getKey('127.0.0.1')).toMatchObject({ totalHits: 3 })
  })

  it('count failed sign-ins of an account, from wherever they come', async () => {
    const app = express().use(session(manager), express.urlencoded())
    app.post('/login', limitFailedSignIns, ({ body, session: current }, response) => {
      if (body.password !== 'right') return void response.sendStatus(401)
      current.signIn(body.username)
      response.redirect('/')
    })
    const url = await listen(app)
    const login = async (username: string, password: string) => {
      const body = new URLSearchParams({ username, password })
      return (await fetch(`${url}/login`, { method: 'POST', body, redirect: 'manual' })).status
    }
    for (let n = 0; n < 11; n++) expect(await login('alice', 'right')).toBe(302)
    for (let n = 0; n < 10; n++) expect(await login(n % 2 ? 'alice' : 'Alice', 'wrong')).toBe(401)
    for (const name of ['alice', ' ALICE ', 'ａｌｉｃｅ']) expect(await login(name, 'right')).toBe(429)
    expect(await login('bob', 'right')).toBe(302)
  })
})
