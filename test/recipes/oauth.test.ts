import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { issueSession } from 'holdfast/testing'
import { Jar } from '../support/cookie-jar.ts'

const ORIGIN = 'https://shop.example'

/** Who is signed in there, and how often it was asked for tokens. */
const provider = { user: 'ada', tokensAsked: 0 }
/** What the provider knows of each code that it gave out. */
const codes = new Map<string, { user: string; asked: URLSearchParams }>()
const server = createServer(async (request, response) => {
  const url = new URL(request.url!, 'http://provider')
  if (url.pathname === '/authorize') {
    const asked = url.searchParams
    const code = randomUUID()
    codes.set(code, { user: provider.user, asked })
    // By the address of a redirect or, for form_post, in the fields of a form: as JSON, for the test to send.
    response.end(JSON.stringify({ code, state: asked.get('state') }))
    return
  }
  provider.tokensAsked++
  const form = new URLSearchParams(await text(request))
  const { user, asked } = codes.get(form.get('code')!) ?? {}
  codes.delete(form.get('code')!)
  const challenge = asked?.get('code_challenge') ?? null
  const verifier = form.get('code_verifier')
  const isRight =
    request.headers.authorization === `Basic ${btoa('shop:the secret')}` &&
    asked?.get('redirect_uri') === `${ORIGIN}/callback` &&
    asked.get('redirect_uri') === form.get('redirect_uri') &&
    challenge === (verifier && createHash('sha256').update(verifier).digest('base64url'))
  const claims = { sub: user, nonce: asked?.get('nonce') ?? undefined }
  const id_token = ['{"alg":"none"}', JSON.stringify(claims), '']
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')
  response.statusCode = isRight ? 200 : 400
  response.end(JSON.stringify(isRight ? { access_token: 'a', id_token } : { error: 'invalid_grant' }))
})

interface Fields {
  code?: string
  state?: string
  error?: string
}

/** A way of the page, and how the provider's answer comes to it. */
interface Flow {
  handle(request: Request): Response | Promise<Response>
  cookieWithCart(user?: string): Promise<string>
  callback(fields: Fields): [path: string, init?: RequestInit]
}
const flows: Record<string, () => Promise<Flow>> = {
  async 'redirect.ts'() {
    const { app, manager } = await import('./oauth/redirect.ts')
    return {
      handle: app.fetch,
      cookieWithCart: (user) => issueSession(manager, { cart: ['rope'] }, { user }),
      callback: (fields) => [`/callback?${new URLSearchParams({ ...fields })}`],
    }
  },
  async 'form-post.ts'() {
    const { handle, sessions } = await import('./oauth/form-post.ts')
    return {
      handle,
      cookieWithCart: (user) => issueSession(sessions, { cart: ['rope'] }, { user }),
      callback: (fields) => ['/callback', { method: 'POST', body: new URLSearchParams({ ...fields }) }],
    }
  },
}

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const PROVIDER = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  // An address that somebody has pasted: with a slash at its end.
  Object.assign(process.env, {
    ORIGIN: `${ORIGIN}/`,
    PROVIDER,
    CLIENT_ID: 'shop',
    CLIENT_SECRET: 'the secret',
  })
})
afterAll(() => void server.close())
beforeEach(() => void Object.assign(provider, { user: 'ada', tokensAsked: 0 }))

/** Somebody with a browser and a cart. */
async function visitorOf(flow: Flow, { user }: { user?: string } = {}) {
  const jar = new Jar()
  const cookie = await flow.cookieWithCart(user)
  jar.keep(new Response(null, { headers: { 'Set-Cookie': cookie } }))
  const visit = async (path: string, init: RequestInit = {}) => {
    const headers = jar.header(init.method === 'POST')
    return jar.keep(await flow.handle(new Request(ORIGIN + path, { ...init, headers })))
  }
  return {
    jar,
    visit,
    /** What the provider gives the browser to take back. */
    async begin(path = '/login'): Promise<Required<Fields>> {
      const location = (await visit(path)).headers.get('Location')!
      return (await fetch(location)).json() as Promise<Required<Fields>>
    },
    /** Follows redirects that stay here; gives the status of the end, and where it was. */
    async comeBack(fields: Fields): Promise<{ status: number; address: string }> {
      let response = await visit(...flow.callback(fields))
      let address = ORIGIN
      while (response.status === 302 || response.status === 303) {
        address = new URL(response.headers.get('Location')!, ORIGIN).href
        if (new URL(address).origin !== ORIGIN) break
        response = await visit(address.slice(ORIGIN.length))
      }
      return { status: response.status, address }
    },
    seen: async () => (await visit('/')).json() as Promise<{ userId?: string; cart?: string[] }>,
  }
}

describe.each(Object.entries(flows))('%s', (_, load) => {
  let flow: Flow
  beforeAll(async () => void (flow = await load()))

  it('D5: signs in under a new token, and the cart is still there', async () => {
    const { jar, begin, comeBack, seen } = await visitorOf(flow)
    const before = jar.header().cookie
    expect(await comeBack(await begin())).toMatchObject({ status: 200 })
    expect(await seen()).toEqual({ userId: 'provider:ada', cart: ['rope'] })
    expect(jar.names).toEqual(['__Host-session'])
    expect(jar.header().cookie).not.toBe(before)
  })

  it('E11: gives nobody the cart of another user whose session was still there', async () => {
    const { begin, comeBack, seen } = await visitorOf(flow, { user: 'bob' })
    await comeBack(await begin())
    expect(await seen()).toEqual({ userId: 'provider:ada' })
  })

  it('E1: of two callbacks with one state, at the same time, one gets through', async () => {
    const { visit, begin } = await visitorOf(flow)
    const fields = await begin()
    const both = await Promise.all([1, 2].map(() => visit(...flow.callback(fields))))
    const statuses = both.map(({ status }) => status).toSorted()
    expect(statuses[0]).toBeLessThan(400)
    // 403 where it came to read when the state was spent already.
    expect([403, 503]).toContain(statuses[1])
    expect(provider.tokensAsked).toBe(1)
  })

  it('a state is good once: the back button signs nobody in again', async () => {
    const { visit, begin, comeBack } = await visitorOf(flow)
    const fields = await begin()
    expect((await comeBack(fields)).status).toBe(200)
    expect((await visit(...flow.callback(fields))).status).toBe(403)
    expect(provider.tokensAsked).toBe(1)
  })

  it('who says no at the provider stays a stranger, and the state is spent', async () => {
    const { begin, comeBack, seen } = await visitorOf(flow)
    const { state, code } = await begin()
    expect((await comeBack({ state, error: 'access_denied' })).status).toBe(403)
    expect((await comeBack({ state, code })).status).toBe(403)
    expect(await seen()).toEqual({ cart: ['rope'] })
  })

  describe('under attack', () => {
    it('the state and code of another visitor sign nobody in, and end no sign-in that was begun', async () => {
      const mallory = await visitorOf(flow)
      provider.user = 'mallory'
      const planted = await mallory.begin()
      const { begin, comeBack, seen } = await visitorOf(flow)
      expect((await comeBack(planted)).status).toBe(403)
      provider.user = 'ada'
      const own = await begin()
      expect((await comeBack(planted)).status).toBe(403)
      expect(provider.tokensAsked).toBe(0)
      expect(await seen()).toEqual({ cart: ['rope'] })
      await comeBack(own)
      expect(await seen()).toMatchObject({ userId: 'provider:ada' })
    })

    it("a code of another visitor's is refused with one's own state", async () => {
      const { code } = await (await visitorOf(flow)).begin()
      provider.user = 'mallory'
      const mallory = await visitorOf(flow)
      const { state } = await mallory.begin()
      const log = vi.spyOn(console, 'error').mockImplementation(() => {})
      expect((await mallory.comeBack({ state, code })).status).toBeGreaterThanOrEqual(400)
      log.mockRestore()
      expect(provider.tokensAsked).toBe(1)
      expect(await mallory.seen()).toEqual({ cart: ['rope'] })
    })

    it('no state is not the state of a sign-in that was never begun', async () => {
      const { begin, comeBack } = await visitorOf(flow)
      expect((await comeBack({ code: 'any' })).status).toBe(403)
      expect((await comeBack({ code: 'any', state: '' })).status).toBe(403)
      const { code } = await begin()
      expect((await comeBack({ code })).status).toBe(403)
      expect(provider.tokensAsked).toBe(0)
    })

    it("without its cookie, a right state is nobody's", async () => {
      const fields = await (await visitorOf(flow)).begin()
      const [path, init] = flow.callback(fields)
      const response = await flow.handle(new Request(ORIGIN + path, init))
      expect([response.status, response.headers.getSetCookie()]).toEqual([403, []])
      expect(provider.tokensAsked).toBe(0)
    })
  })
})

describe('redirect.ts', () => {
  const addressAfter = async (returnTo: string) => {
    const { begin, comeBack } = await visitorOf(await flows['redirect.ts']!())
    const { address } = await comeBack(await begin(`/login?${new URLSearchParams({ returnTo })}`))
    return address
  }

  it('leads back to where the visitor was', async () => {
    expect(await addressAfter('/checkout?step=2')).toBe(`${ORIGIN}/checkout?step=2`)
  })

  it.each([
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example/',
    '/\t/evil.example/',
    `${ORIGIN}.evil.example/`,
    `${ORIGIN}@evil.example/`,
    'javascript:alert(1)',
    'http://[',
  ])('leads to no page but ours: %j', async (returnTo) => {
    expect(await addressAfter(returnTo)).toBe(`${ORIGIN}/`)
  })

  it('leads to no page of others by a path that looks like a host', async () => {
    expect(await addressAfter('/.//evil.example/')).toBe(`${ORIGIN}//evil.example/`)
  })
})

describe('form-post.ts', () => {
  it('D5: the cookie of the sign-in alone comes along from the other site', async () => {
    const { jar, begin } = await visitorOf(await flows['form-post.ts']!())
    await begin()
    expect(jar.names).toEqual(['__Host-oauth', '__Host-session'])
    expect(jar.header(true).cookie).toMatch(/^__Host-oauth=[^;]+$/)
  })

  it('E1: of two requests that come for the user at the same time, one signs in', async () => {
    const flow = await flows['form-post.ts']!()
    const { visit, begin } = await visitorOf(flow)
    expect((await visit(...flow.callback(await begin()))).status).toBe(303)
    const both = await Promise.all([visit('/welcome'), visit('/welcome')])
    const statuses = both.map(({ status }) => status).toSorted()
    expect(statuses[0]).toBe(303)
    expect([403, 503]).toContain(statuses[1])
    expect((await visit('/welcome')).status).toBe(403)
  })
})
