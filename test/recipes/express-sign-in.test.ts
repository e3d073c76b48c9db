import { createHash, randomUUID } from 'node:crypto'
import { callbackify, promisify } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import express, { type ErrorRequestHandler } from 'express'
import { createSessionManager, MemoryStore, type SessionManager } from 'holdfast'
import { session } from 'holdfast/node'
import { issueSession } from 'holdfast/testing'
import passport, { Passport } from 'passport'
import { Strategy as LocalStrategy } from 'passport-local'
import { listen } from '../support/recipes.ts'
import { secret } from '../support/stores.ts'
import { failing, TamperedStore } from '../support/tampered-store.ts'
import { createApp as createOAuthApp } from './express/oauth.ts'
import { createApp, type Users } from './express/passport.ts'

let store: TamperedStore
let manager: SessionManager
beforeEach(() => {
  store = new TamperedStore(new MemoryStore())
  manager = createSessionManager({ store, secret })
})

const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(';')[0] ?? ''
const userOf = async (response: Response) => manager.open(cookieOf(response)).userId()

describe('passport-local', () => {
  const alice = { id: 'u1', name: 'Alice' }
  const users = {
    isGone: false,
    async check(name, password) {
      return name === 'alice' && password === 'right' && alice
    },
    async find(id) {
      return id === alice.id && !this.isGone ? alice : undefined
    },
  } satisfies Users & { isGone: boolean } as Users & { isGone: boolean }

  const start = () => listen(createApp(manager, users))
  const login = (url: string, password: string, cookie = '') => {
    const body = new URLSearchParams({ username: 'alice', password })
    return fetch(`${url}/login`, { method: 'POST', body, headers: { cookie }, redirect: 'manual' })
  }
  const greeting = async (url: string, cookie: string) => (await fetch(url, { headers: { cookie } })).text()

  it('signs in under a new token, knows the user, and signs out', async () => {
    const url = await start()
    const anonymous = await issueSession(manager, { cart: ['rope'] })
    const response = await login(url, 'right', anonymous)
    expect(response.status).toBe(302)
    const cookie = cookieOf(response)
    expect(await greeting(url, cookie)).toBe('Hello, Alice')
    expect(await manager.open(cookie).get('cart')).toEqual(['rope'])
    expect(await greeting(url, anonymous)).toBe('Hello, stranger')
    users.isGone = true
    expect(await greeting(url, cookie)).toBe('Hello, stranger')
    users.isGone = false
    await fetch(`${url}/logout`, { method: 'POST', headers: { cookie }, redirect: 'manual' })
    expect(await greeting(url, cookie)).toBe('Hello, stranger')
  })

  it('shows a name as text, whatever it is', async () => {
    const script = { id: 'u2', name: '<script>alert(1)</script>' }
    const url = await listen(createApp(manager, { ...users, find: async () => script }))
    const cookie = await issueSession(manager, {}, { user: 'u2' })
    expect((await fetch(url, { headers: { cookie } })).headers.get('content-type')).toMatch(/^text\/plain;/)
  })

  it('signs nobody in with a wrong password, and begins no session', async () => {
    const response = await login(await start(), 'wrong')
    expect([response.status, cookieOf(response)]).toEqual([401, ''])
  })

  it('F1: answers 503 when the store cannot say who it is', async () => {
    const url = await start()
    const cookie = await issueSession(manager, {}, { user: 'u1' })
    store.before = failing('get', 9)
    expect((await fetch(url, { headers: { cookie } })).status).toBe(503)
  })

  describe('with what is for express-session', () => {
    function createOldApp() {
      passport.use(
        new LocalStrategy(callbackify(async (id: string, _password: string) => ({ id, name: id }))),
      )
      const app = express().use(session(manager), passport.initialize(), passport.session())
      app.get('/', (request, response) => void response.send(String(request.user)))
      app.post('/login', express.urlencoded(), passport.authenticate('local'))
      app.post('/logout', (request, response) => request.logout(() => response.redirect('/')))
      const tell: ErrorRequestHandler = (error, _request, response, _next) => {
        response.status(500).send(error.message)
      }
      return app.use(tell)
    }

    it('leaves passport.user in the record of express-session', async () => {
      const { default: expressSession } = await import('express-session' as string)
      const old = new expressSession.MemoryStore()
      const oldPassport = new Passport().use(
        new LocalStrategy(callbackify(async (id: string, _password: string) => ({ id, name: id }))),
      )
      oldPassport.serializeUser((user, done) => done(null, user.id))
      const app = express().use(
        expressSession({ store: old, secret: 's', resave: false, saveUninitialized: false }),
        express.urlencoded(),
        oldPassport.authenticate('local', { successRedirect: '/' }),
      )
      await login(await listen(app), 'right')
      const records = await promisify(old.all.bind(old))()
      expect(Object.values(records)).toMatchObject([{ passport: { user: 'alice' } }])
    })

    it('has nobody in a session that passport reads', async () => {
      const cookie = await issueSession(manager, {}, { user: 'u1' })
      expect(await greeting(await listen(createOldApp()), cookie)).toBe('undefined')
    })

    it('L2: signs in and out with a 500 that says what to write', async () => {
      const url = await listen(createOldApp())
      expect(await (await login(url, 'right')).text()).toMatch(/write session\.signIn.*{ session: false }/)
      const cookie = await issueSession(manager, {}, { user: 'u1' })
      const logout = await fetch(`${url}/logout`, { method: 'POST', headers: { cookie }, redirect: 'manual' })
      expect(await logout.text()).toMatch(/write .*session\.destroy\(\)/)
    })
  })
})

describe('passport-oauth2', () => {
  /** Gives codes to whoever asks, and for a code, once, a token: to who knows the verifier (RFC 7636 §4.6). */
  async function startProvider() {
    const challenges = new Map<string, string>()
    const exchanges: string[] = []
    const app = express().use(express.urlencoded())
    app.get('/authorize', ({ query }, response) => {
      const code = randomUUID()
      challenges.set(code, String(query['code_challenge']))
      response.redirect(
        `${query['redirect_uri']}?${new URLSearchParams({ code, state: String(query['state']) })}`,
      )
    })
    app.post('/token', ({ body }, response) => {
      const challenge = createHash('sha256').update(body.code_verifier).digest('base64url')
      if (challenges.get(body.code) !== challenge)
        return void response.status(400).json({ error: 'invalid_grant' })
      challenges.delete(body.code)
      exchanges.push(body.code)
      response.json({ access_token: `token of ${body.code}`, token_type: 'bearer' })
    })
    return { url: await listen(app), exchanges }
  }

  /** A visitor with a cart who comes back from the provider's page: where to, and with what. */
  async function begin() {
    const provider = await startProvider()
    const startApp = async (itsManager: SessionManager) => {
      const app = express()
      const url = await listen(app)
      const options = {
        authorizationURL: `${provider.url}/authorize`,
        tokenURL: `${provider.url}/token`,
        clientID: 'shop',
        clientSecret: 'secret of the shop',
        callbackURL: `${url}/callback`,
      }
      const findUser = async (token: string) => ({ id: `owner of ${token}`, name: 'Alice' })
      app.use(createOAuthApp(itsManager, options, findUser))
      return url
    }
    const url = await startApp(manager)
    const cookie = await issueSession(manager, { cart: ['rope'] })
    const visit = (address: string | URL) => fetch(address, { headers: { cookie }, redirect: 'manual' })
    const away = await visit(`${url}/login`)
    const back = await visit(away.headers.get('location')!)
    return {
      callback: new URL(back.headers.get('location')!),
      visit,
      exchanges: provider.exchanges,
      startApp,
    }
  }

  it('signs in who comes back, and keeps the cart', async () => {
    const { callback, visit, exchanges } = await begin()
    const response = await visit(callback)
    expect([response.status, response.headers.get('location')]).toEqual([302, '/'])
    expect(await userOf(response)).toBe(`owner of token of ${exchanges[0]}`)
    expect(await manager.open(cookieOf(response)).entries()).toEqual({ cart: ['rope'] })
  })

  it('refuses a state that was used, with the old cookie and with the new one', async () => {
    const { callback, visit, exchanges } = await begin()
    const cookie = cookieOf(await visit(callback))
    expect((await visit(callback)).status).toBe(403)
    expect((await fetch(callback, { headers: { cookie }, redirect: 'manual' })).status).toBe(403)
    expect(exchanges).toHaveLength(1)
  })

  it("refuses another state, and none, and spends nothing by it: nobody's link ends a sign-in", async () => {
    const { callback, visit, exchanges } = await begin()
    const wrong = new URL(callback)
    wrong.searchParams.set('state', randomUUID())
    const none = new URL(callback)
    none.searchParams.delete('state')
    expect((await fetch(none, { redirect: 'manual' })).status).toBe(403)
    expect((await fetch(callback, { redirect: 'manual' })).status).toBe(403)
    for (const address of [wrong, none]) expect((await visit(address)).status).toBe(403)
    expect(exchanges).toEqual([])
    expect((await visit(callback)).status).toBe(302)
  })

  it('signs in once when a state comes to one server twice at once', async () => {
    const { callback, visit, exchanges } = await begin()
    const responses = await Promise.all([visit(callback), visit(callback)])
    const [signedIn, refused] = responses.map(({ status }) => status).toSorted()
    expect(signedIn).toBe(302)
    expect([403, 503]).toContain(refused) // whether it loaded before the other one's save, or after
    expect(responses.map(cookieOf).filter(Boolean)).toHaveLength(1)
    expect(exchanges).toHaveLength(1)
  })

  it('signs in once when a state comes to two servers at once', async () => {
    const { callback, visit, exchanges, startApp } = await begin()
    const second = new URL(callback)
    second.port = new URL(await startApp(createSessionManager({ store, secret }))).port
    let arrived = 0
    let bothHere = () => {}
    const both = new Promise<void>((resolve) => (bothHere = resolve))
    store.before = (operation) => {
      if (operation !== 'get') return undefined
      if (++arrived === 2) bothHere()
      return both
    }
    const responses = await Promise.all([visit(callback), visit(second)])
    expect(responses.map(({ status }) => status).toSorted()).toEqual([302, 503])
    expect(responses.map(cookieOf).filter(Boolean)).toHaveLength(1)
    expect(exchanges).toHaveLength(1)
  })

  it('passes on what the provider refuses, and has signed in nobody', async () => {
    const { callback, visit } = await begin()
    callback.searchParams.set('code', 'made up')
    const response = await visit(callback)
    expect([response.status, cookieOf(response)]).toEqual([500, ''])
  })
})
