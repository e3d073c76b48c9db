import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SessionOptions } from '../src/core/index.ts'
import { adaptersAndOlder, tellEvent, type App, type Route } from './support/apps.ts'
import { visitorOf } from './support/browser.ts'
import { createBench, type Bench } from './support/managers.ts'
import { ResponseRules } from './support/response-rules.ts'
import { isRedisAlone } from './support/store-servers.ts'
import { stores } from './support/stores.ts'
import { failing } from './support/tampered-store.ts'

const down = () => {
  throw new Error('connect ECONNREFUSED 10.1.2.3:11211')
}

describe.each(adaptersAndOlder)('$name', ({ name, start }) => {
  // It takes long: over Redis by `npm test` through one adapter, by `npm run test:redis` through each.
  const own = isRedisAlone || name === 'Hono' ? stores : stores.filter((store) => store.name !== 'RedisStore')
  describe.each(own)('on $name', ({ open }) => {
    const store = open()
    let bench: Bench
    let app: App
    beforeEach(async () => {
      bench = createBench(store, { onEvent: tellEvent })
      app = await start(bench.manager, routes)
    })
    afterEach(() => app.close())

    /** Its every response is held to the rules. */
    const browser = () => visitorOf(app.fetch)

    it('A1: an untouched request has no cookie, no header and no store operation, with a cookie or without', async () => {
      const { jar, get } = browser()
      const anonymous = await get('/untouched')
      await get('/set?user=u1')
      bench.forget()
      const signedIn = await get('/untouched')
      for (const { headers, setCookie, status } of [anonymous, signedIn]) {
        expect([status, setCookie, headers.get('vary'), headers.get('cache-control')]).toEqual([
          200,
          undefined,
          null,
          null,
        ])
      }
      expect(jar.cookie).toBeDefined()
      expect(bench.store.operations).toEqual([])
    })

    it("A1: an untouched request keeps the handler's own Vary and Cache-Control", async () => {
      const { get } = browser()
      await get('/set?user=u1')
      const { headers } = await get('/untouched-and-public')
      expect(headers.get('vary')).toBe('Accept-Encoding')
      expect(headers.get('cache-control')).toBe('public, max-age=600')
    })

    it('A3: anonymous reads create neither record nor cookie', async () => {
      const before = await store.countRecords()
      const { get } = browser()
      for (let i = 0; i < 50; i++) expect((await get('/all')).setCookie).toBeUndefined()
      expect(await store.countRecords()).toBe(before)
      expect(bench.store.operations).toEqual([])
    })

    it('keeps what was set, under the default cookie', async () => {
      const { get } = browser()
      const { setCookie } = await get('/set?user=u1')
      expect(setCookie).toMatch(
        /^__Host-session=[\w-]{43}; Path=\/; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax$/,
      )
      const { body, headers } = await get('/all')
      expect(JSON.parse(body)).toEqual({ user: 'u1' })
      expect(headers.get('vary')).toBe('Cookie')
      expect(headers.get('cache-control')).toBe('private')
      expect(headers.get('set-cookie')).toBeNull()
    })

    it.each<SessionOptions>([
      { cookie: { secure: false }, persistent: false },
      { cookie: { name: 'sid', path: '/shop', httpOnly: false, sameSite: 'strict' } },
      { cookie: { domain: 'shop.example', sameSite: 'none', partitioned: true } },
    ])('S16, S22: the cookie is set and cleared with the attributes of %o', async (options) => {
      const rules = new ResponseRules(options)
      const other = await start(bench.another(options), routes, rules)
      const { get } = visitorOf(other.fetch)
      const answers = [await get('/set?user=u1'), await get('/sign-in?user=u2'), await get('/sign-out')]
      await other.close()
      const values = answers.map(({ setCookie }) => setCookie?.split(/[=;]/)[1])
      expect(values).toEqual([expect.stringMatching(/./), expect.stringMatching(/./), ''])
    })

    it('A4, S30: a sign-out without a session creates nothing, and clears nothing that was not sent', async () => {
      const before = await store.countRecords()
      const { setCookie } = await browser().get('/sign-out')
      expect(setCookie).toBeUndefined()
      expect(await store.countRecords()).toBe(before)
    })

    it('S21: new timeouts send the same token with a new age', async () => {
      const { jar, get } = browser()
      await get('/set?user=u1')
      const { cookie } = jar
      const { setCookie } = await get('/remember')
      expect(setCookie).toContain('; Max-Age=2592000;')
      expect(jar.cookie).toBe(cookie)
    })

    it("S33, S34: the handler's public gives way to no-store when the session begins", async () => {
      const { setCookie, headers } = await browser().get('/answers-richly')
      expect(setCookie).toBeDefined()
      expect(headers.get('cache-control')).toBe('no-store')
    })

    it('D1: the request after a redirect sees the data', async () => {
      const { get } = browser()
      const redirected = await get('/sign-in?user=u1')
      expect(redirected.status).toBe(302)
      expect(redirected.headers.get('location')).toMatch(/\/all$/)
      expect(JSON.parse((await get('/all')).body)).toEqual({ user: 'u1' })
    })

    it('D3: a handler that throws changes nothing, and its error wins', async () => {
      const { jar, get } = browser()
      await get('/set?user=u1')
      const { cookie } = jar
      for (const path of ['/throws', '/throws-non-error', '/fails']) {
        const { status, setCookie } = await get(path)
        expect([path, status, setCookie]).toEqual([path, 500, undefined])
      }
      expect(jar.cookie).toBe(cookie)
      expect(JSON.parse((await get('/all')).body)).toEqual({ user: 'u1' })
      bench.store.before = down
      expect((await get('/throws')).status).toBe(500)
    })

    it('D3, S37: a handler that fails begins no session', async () => {
      const before = await store.countRecords()
      for (const path of ['/throws', '/throws-non-error', '/fails']) {
        const { status, setCookie } = await browser().get(path)
        expect([path, status, setCookie]).toEqual([path, 500, undefined])
      }
      expect(await store.countRecords()).toBe(before)
    })

    it("D3: a framework's own error below 500 is an answer: attempts are counted, cookies go out", async () => {
      const { get } = browser()
      for (const expected of [1, 2, 3]) {
        const { status, setCookie, headers } = await get('/denies')
        expect(status).toBe(403)
        expect(setCookie !== undefined).toBe(expected === 1)
        expect(headers.get('vary')).toContain('Cookie')
      }
      expect(JSON.parse((await get('/all')).body)).toEqual({ attempts: 3 })
    })

    it('D3: destroy is carried out though the handler threw, and its cookie cleared', async () => {
      const { jar, get } = browser()
      await get('/set?user=u1')
      const { cookie } = jar
      const { status, setCookie } = await get('/destroys-and-throws')
      expect(status).toBe(500)
      expect(setCookie).toBe('__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax')
      expect((await get('/all', { cookie: cookie! })).body).toBe('{}')
    })

    it('D3: what save had committed stays though the handler threw, cookie included', async () => {
      const { get } = browser()
      const { status, setCookie } = await get('/saves-and-throws')
      expect(status).toBe(500)
      expect(setCookie).toBeDefined()
      expect(JSON.parse((await get('/all')).body)).toEqual({ saved: true })
    })

    it('D4: immutable response headers are copied', async () => {
      const { get } = browser()
      const { status, setCookie } = await get('/redirects?user=u1')
      expect(status).toBe(303)
      expect(setCookie).toBeDefined()
    })

    it('D8, F1: a commit that fails is a plain 503 without anything of the answer', async () => {
      const { jar, get } = browser()
      await get('/set?user=u1')
      const { cookie } = jar
      bench.store.before = down
      const { status, headers, body, setCookie } = await get('/answers-richly')
      expect(status).toBe(503)
      expect(body).toBe('Service Unavailable')
      expect(setCookie).toBeUndefined()
      expect(headers.get('retry-after')).toBe('1')
      expect(headers.get('cache-control')).toBe('no-store')
      for (const name of ['location', 'etag', 'last-modified', 'expires', 'content-language']) {
        expect([name, headers.get(name)]).toEqual([name, null])
      }
      expect(headers.get('content-type')).toMatch(/^text\/plain/i)
      expect(Number(headers.get('content-length') ?? body.length)).toBe(body.length)
      bench.forget()
      expect(jar.cookie).toBe(cookie)
      expect(JSON.parse((await get('/all')).body)).toEqual({ user: 'u1' })
    })

    it('F1: a read that fails is a 503 that says nothing of hosts, keys or stacks', async () => {
      const { get } = browser()
      await get('/set?user=u1')
      bench.store.before = down
      const { status, body, setCookie, headers } = await get('/all')
      expect([status, body, setCookie]).toEqual([503, 'Service Unavailable', undefined])
      expect(headers.get('retry-after')).toBe('1')
      const { status: signOut, setCookie: cleared } = await get('/sign-out')
      expect([signOut, cleared]).toEqual([503, undefined])
      expect((await get('/untouched')).status).toBe(200)
      bench.forget()
      expect(JSON.parse((await get('/all')).body)).toEqual({ user: 'u1' })
    })

    it('A2: a page may catch an outage and render', async () => {
      const { get } = browser()
      await get('/set?user=u1')
      bench.store.before = failing('get')
      const { status, body, setCookie } = await get('/renders-anyway')
      expect([status, body, setCookie]).toEqual([200, 'hello, whoever you are', undefined])
    })

    it('D7: data that cannot be stored is a 500, and the stored session stays', async () => {
      const { get } = browser()
      await get('/set?user=u1')
      expect((await get('/sets-a-map')).status).toBe(500)
      expect(JSON.parse((await get('/all')).body)).toEqual({ user: 'u1' })
    })

    it('E3: 200 parallel requests each setting its own key keep 200 keys', async () => {
      const { get } = browser()
      await get('/set?first=1')
      const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => get(`/set?k${i}=${i}`)))
      expect(answers.filter(({ status }) => status !== 200)).toEqual([])
      expect(Object.keys(JSON.parse((await get('/all')).body) as object)).toHaveLength(201)
    })

    it('E3: 200 parallel updates count exactly 200', async () => {
      const { get } = browser()
      await get('/set?first=1')
      const answers = await Promise.all(Array.from({ length: 200 }, () => get('/count')))
      expect(answers.filter(({ status }) => status !== 200)).toEqual([])
      expect(JSON.parse((await get('/all')).body)).toMatchObject({ n: 200 })
    })

    it('E6: the old token after signing in and out reads empty and cannot overwrite the cookie', async () => {
      const { jar, get } = browser()
      await get('/set?cart=rope')
      const anonymous = jar.cookie!
      await get('/sign-in?user=u1')
      const signedIn = jar.cookie!
      expect(signedIn).not.toBe(anonymous)
      expect(JSON.parse((await get('/all')).body)).toEqual({ cart: 'rope', user: 'u1' })
      const late = await get('/set?user=thief', { cookie: anonymous })
      expect([late.status, late.setCookie]).toEqual([200, undefined])
      jar.cookie = signedIn
      const { setCookie } = await get('/sign-out')
      expect(setCookie).toMatch(/^__Host-session=; .*Max-Age=0/)
      for (const cookie of [anonymous, signedIn]) expect((await get('/all', { cookie })).body).toBe('{}')
    })

    it('B6: two live sessions are refused, and signing in heals it', async () => {
      const [one, two] = [browser(), browser()]
      await one.get('/set?user=u1')
      await two.get('/set?user=u2')
      const { get } = browser()
      const both = { cookie: `${one.jar.cookie}; ${two.jar.cookie}` }
      expect((await get('/all', both)).body).toBe('{}')
      const { setCookie } = await get('/sign-in?user=u3', both)
      const healed = { cookie: `${one.jar.cookie}; ${setCookie!.split(';')[0]}` }
      expect(JSON.parse((await get('/all', healed)).body)).toEqual({ user: 'u3' })
    })
  })
})

const set: Route = (session, { query }) => {
  for (const [key, value] of query) session.set(key, value)
  return {}
}

const routes: Record<string, Route> = {
  '/untouched': () => ({ body: 'untouched' }),
  '/untouched-and-public': () => ({
    headers: { Vary: 'Accept-Encoding', 'Cache-Control': 'public, max-age=600' },
  }),
  '/all': async (session) => ({ body: JSON.stringify(await session.entries()) }),
  '/set': set,
  '/count': async (session) => ({ body: String(await session.update('n', (n: number = 0) => n + 1)) }),
  '/sign-in': async (session, request) => {
    session.regenerateId()
    await set(session, request)
    return { status: 302, headers: { Location: '/all' } }
  },
  '/sign-out': (session) => {
    session.destroy()
    return {}
  },
  '/remember': (session) => {
    session.setTimeouts({ absolute: 2_592_000 })
    return {}
  },
  '/redirects': async (session, request) => {
    await set(session, request)
    return { status: 303, headers: { Location: '/all' } }
  },
  '/throws': (session) => {
    session.set('user', 'changed')
    throw new Error('the handler failed')
  },
  '/throws-non-error': (session) => {
    session.set('user', 'changed')
    throw 'the handler failed'
  },
  '/fails': (session) => {
    session.set('user', 'changed')
    return { status: 500, body: 'failed' }
  },
  '/denies': async (session) => {
    await session.update('attempts', (attempts: number = 0) => attempts + 1)
    throw Object.assign(new Error('denied'), { status: 403, expose: true })
  },
  '/destroys-and-throws': (session) => {
    session.destroy()
    throw new Error('the handler failed')
  },
  '/saves-and-throws': async (session) => {
    session.set('saved', true)
    await session.save()
    throw new Error('the handler failed')
  },
  '/answers-richly': (session) => {
    session.set('user', 'changed')
    return {
      body: '<p>You are signed in as changed, and this is your cart',
      headers: {
        'Content-Type': 'text/html',
        'Content-Language': 'en',
        ETag: '"abc"',
        'Last-Modified': 'Sun, 22 Nov 2026 00:00:00 GMT',
        Expires: 'Sun, 22 Nov 2027 00:00:00 GMT',
        'Cache-Control': 'public, max-age=600',
      },
    }
  },
  '/renders-anyway': async (session) => ({
    body: `hello, ${await session.get('user').catch(() => 'whoever you are')}`,
  }),
  '/sets-a-map': (session) => {
    session.set('user', new Map())
    return {}
  },
}
