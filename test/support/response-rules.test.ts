import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { brokenRules, ResponseRules, rules, type Exchange, type Sighting } from './response-rules.ts'

const [TOKEN, EARLIER] = ['t'.repeat(43), 'e'.repeat(43)]
const ATTRIBUTES = 'Secure; HttpOnly; SameSite=Lax'
const SET = `__Host-session=${TOKEN}; Path=/; Max-Age=1209600; ${ATTRIBUTES}`
const CLEARED = `__Host-session=; Path=/; Max-Age=0; ${ATTRIBUTES}`
const NEITHER = { vary: 'Cookie', 'cache-control': 'private' }
const WITH_COOKIE = { vary: 'Cookie', 'cache-control': 'no-store' }

/** What differs from a request with a session that was read. */
interface Difference extends Partial<Omit<Exchange, 'headers' | 'sighting'>> {
  headers?: Record<string, string>
  setCookies?: string[]
  sighting?: Partial<Sighting> | null
}

const events = (...types: string[]) => types.map((type) => ({ type, at: 0 })) as Sighting['events']
const began: Difference = {
  cookie: '',
  headers: WITH_COOKIE,
  setCookies: [SET],
  sighting: { calls: ['set'], events: events('created') },
}
const signedOut: Difference = {
  headers: WITH_COOKIE,
  setCookies: [CLEARED],
  sighting: { calls: ['destroy'], events: events('destroyed') },
}
const remembered: Difference = {
  headers: WITH_COOKIE,
  setCookies: [SET.replace(TOKEN, EARLIER)],
  sighting: { calls: ['setTimeouts'], events: events('loaded', 'saved') },
}
const untouched: Difference = { headers: {}, sighting: { calls: [], events: [] } }
const unavailable: Difference = { status: 503, headers: WITH_COOKIE, body: 'Service Unavailable' }
const failedAfterSave: Difference = {
  ...began,
  status: 500,
  sighting: { calls: ['set', 'save'], events: events('created') },
}

describe('the rules that every response is held to', () => {
  it.each<[string, Difference]>([
    ['a session that was read', {}],
    ['one that began', began],
    [
      'one that began under a new token',
      { ...began, sighting: { calls: ['regenerateId'], events: events('regenerated') } },
    ],
    ['one that was signed in', { ...began, sighting: { calls: ['signIn'], events: events('signed-in') } }],
    ['one that was saved before the handler failed', failedAfterSave],
    ['one that got new timeouts', remembered],
    ['a sign-out', signedOut],
    ['an untouched one', untouched],
    [
      'an untouched one that the handler made public',
      {
        ...untouched,
        headers: { vary: 'Origin', 'cache-control': 'public' },
        sighting: { headers: { Vary: 'Origin', 'Cache-Control': 'public' }, calls: [], events: [] },
      },
    ],
    ['an outage', unavailable],
    [
      'an error that left every middleware behind',
      { status: 500, headers: {}, sighting: { calls: ['set'], isAnsweredOutside: true } },
    ],
    ['a server of another process', { ...began, sighting: null }],
    [
      'a cookie until the browser closes',
      {
        ...began,
        expected: { cookie: {}, persistent: false },
        setCookies: [SET.replace(' Max-Age=1209600;', '')],
      },
    ],
    ['cookies of others', { setCookies: ['theme=dark', 'lang=en'] }],
  ])('let %s pass', (_, difference) => {
    expect(brokenRules(exchange(difference))).toEqual([])
  })

  const wrongCookies = [
    SET.replace('; HttpOnly', ''),
    SET.replace('; Secure', ''),
    SET.replace('Lax', 'None'),
    SET.replace('Path=/', 'Path=/shop'),
    `${SET}; Partitioned`,
    `${SET}; Domain=shop.example`,
    `${SET}; Secure`,
    SET.replace('1209600', '34560001'),
    SET.replace('1209600', '12.5'),
    SET.replace('1209600', '0'),
    SET.replace(' Max-Age=1209600;', ''),
    SET.replace('Max-Age=', 'Max-Age=1; Max-Age='),
    SET.replace(TOKEN, TOKEN.slice(1)),
  ]
  const wrongClearings = [
    CLEARED.replace('; Secure', ''),
    CLEARED.replace('Max-Age=0', 'Max-Age=1'),
    CLEARED.replace('; Max-Age=0', ''),
    CLEARED.replace('Path=/', 'Path=/shop'),
  ]
  const told = new Error('no answer', { cause: { key: `holdfast:${EARLIER}` } })

  const broken: [string, Difference][] = [
    ['A1', { ...untouched, headers: { vary: 'Cookie' } }],
    ['A1', { ...untouched, headers: { 'cache-control': 'private' } }],
    ['A1', { ...untouched, headers: WITH_COOKIE, setCookies: [SET] }],
    ['A1', { ...untouched, sighting: { calls: [], events: events('loaded') } }],
    [
      'A1',
      {
        ...untouched,
        headers: {},
        sighting: { calls: [], events: [], headers: { 'Cache-Control': 'public' } },
      },
    ],
    ['S5', { body: `Hello, ${EARLIER}` }],
    ['S5', { ...began, body: `Hello, ${TOKEN}` }],
    ['S5', { headers: { ...NEITHER, location: `/?session=${EARLIER}` } }],
    ['S5', { setCookies: [`theme=${EARLIER}`] }],
    ['S6', { ...began, setCookies: [SET.replace(TOKEN, EARLIER)] }],
    ['S6', { ...remembered, cookie: '' }],
    ['S10', { ...signedOut, status: 503 }],
    ...wrongCookies.map((line): [string, Difference] => ['S16, S22', { ...began, setCookies: [line] }]),
    ...wrongClearings.map((line): [string, Difference] => ['S16, S22', { ...signedOut, setCookies: [line] }]),
    ['S16, S22', { ...began, expected: { cookie: {}, persistent: false } }],
    [
      'S16, S22',
      { ...began, expected: { cookie: { name: '__Host-session', sameSite: 'strict' }, persistent: true } },
    ],
    ['S23', { ...began, setCookies: [SET, SET] }],
    ['S23', { ...began, setCookies: [SET, CLEARED] }],
    ['S24', { ...began, sighting: { calls: ['get', 'entries'], events: events('created') } }],
    ['S24', { ...began, sighting: { calls: ['userId'], events: events('signed-in') } }],
    ['S24', { ...began, sighting: { calls: ['set'], events: events('loaded', 'saved') } }],
    ['S24', { ...began, sighting: { calls: ['set', 'setTimeouts'], events: events('loaded', 'dropped') } }],
    ['S30', { ...signedOut, cookie: 'theme=dark; __Host-sessions=1' }],
    ['S30', { ...signedOut, sighting: { calls: ['clear'], events: events('loaded') } }],
    ['S32', { headers: { 'cache-control': 'private' } }],
    ['S32', { headers: { vary: 'Cookies, X-Cookie', 'cache-control': 'private' } }],
    ['S32', { headers: { vary: 'Cookie' } }],
    ['S32', { ...began, sighting: null, headers: { 'cache-control': 'no-store' } }],
    ['S33', { ...began, headers: NEITHER }],
    ['S33', { ...signedOut, headers: { vary: 'Cookie', 'cache-control': 'no-cache' } }],
    ['S34', { ...began, headers: { vary: 'Cookie', 'cache-control': 'no-store, public' } }],
    ['S34', { ...signedOut, headers: { vary: 'Cookie', 'cache-control': 'no-store, s-maxage=60' } }],
    ['S37', { ...began, status: 500 }],
    ['S37', { ...began, status: 503 }],
    ['S37', { ...began, status: 500, sighting: null }],
    ['S44', { ...unavailable, body: 'connect ECONNREFUSED' }],
    ['S44', { ...unavailable, body: 'no answer from 10.1.2.3' }],
    ['S44', { ...unavailable, body: 'no answer from cache.internal:11211' }],
    ['S44', { ...unavailable, body: `holdfast:${'k'.repeat(43)}` }],
    ['S44', { ...unavailable, body: `<pre>${new Error('no answer').stack}` }],
    ['S44', { ...unavailable, headers: { ...WITH_COOKIE, 'x-cause': 'localhost:11211' } }],
    ['S57', { written: `GET / ${EARLIER}` }],
    ['S57', { ...began, written: JSON.stringify({ session: TOKEN }) }],
    ['S57', { written: `miss: holdfast:${'k'.repeat(43)}` }],
    ['S57', { sighting: { errors: [told] } }],
    ['S57', { sighting: { events: [{ type: 'store-error', at: 0, error: told }] } }],
  ]
  it.each(broken)('%s bites: %j', (rule, difference) => {
    expect(brokenRules(exchange(difference))).toContainEqual(
      expect.stringMatching(new RegExp(`^${rule}: .*: .`)),
    )
  })

  it('each bite', () => {
    const named = new Set(broken.map(([rule]) => rule))
    expect(Object.keys(rules).map((rule) => rule.split(':')[0])).toEqual([...named])
  })
})

describe('the client that holds responses to the rules', () => {
  let server: Server
  let url: string
  let answer: RequestListener
  beforeEach(async () => {
    server = createServer((request, response) => answer(request, response))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    url = `http://localhost:${(server.address() as AddressInfo).port}/`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  it('S5: remembers every token that was handed out or sent', async () => {
    const rules = new ResponseRules()
    answer = (_, response) => {
      for (const [name, value] of Object.entries(WITH_COOKIE)) response.setHeader(name, value)
      response.setHeader('set-cookie', SET).end()
    }
    expect((await rules.fetch(url)).setCookie).toBe(SET)
    await rules.fetch(url, { headers: { cookie: `__Host-session=${EARLIER}` } })
    for (const token of [TOKEN, EARLIER]) {
      answer = (_, response) => response.end(`Hello, ${token}`)
      await expect(rules.fetch(url)).rejects.toThrow(/^\/ breaks\nS5: /)
    }
    answer = (_, response) => response.end('Hello')
    expect(await rules.fetch(url)).toMatchObject({ status: 200, body: 'Hello', setCookie: undefined })
  })

  it.each<[string, () => unknown]>([
    ['console.log', () => console.log('session %s', TOKEN)],
    ['console.error', () => console.error({ session: { token: TOKEN } })],
    ['standard output', () => process.stdout.write(`${TOKEN}\n`)],
    ['standard error', () => process.stderr.write(Buffer.from(`${TOKEN}\n`))],
  ])('S57: hears what a request writes by %s', async (_, write) => {
    answer = (_, response) => {
      write()
      response.end()
    }
    await expect(new ResponseRules().fetch(url)).rejects.toThrow(/^\/ breaks\nS57: /)
  })
})

function exchange({ headers = NEITHER, setCookies = [], sighting = {}, ...rest }: Difference): Exchange {
  const all = new Headers(headers)
  for (const line of setCookies) all.append('set-cookie', line)
  return {
    cookie: `__Host-session=${EARLIER}`,
    status: 200,
    headers: all,
    body: 'Hello',
    written: '',
    earlierTokens: new Set([EARLIER]),
    expected: { cookie: {}, persistent: true },
    sighting:
      sighting === null
        ? undefined
        : {
            calls: ['get'],
            headers: {},
            events: events('loaded'),
            errors: [],
            isAnsweredOutside: false,
            ...sighting,
          },
    ...rest,
  }
}
