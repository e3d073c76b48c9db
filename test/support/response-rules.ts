import type { CookieOptions, SessionEvent } from '../../src/core/index.ts'
import { isWarning, warningOf } from '../../src/core/warnings.ts'
import { toldOf, watchConsole } from './console-watch.ts'

/** One request and its response, with what a server of this process saw of it. */
export interface Exchange {
  /** The Cookie header that was sent. */
  cookie: string
  status: number
  headers: Headers
  body: string
  /** All that was written to the console meanwhile. */
  written: string
  /** Tokens that the request brought, or that earlier responses handed out. */
  earlierTokens: ReadonlySet<string>
  expected: { cookie: CookieOptions; persistent: boolean | 'either' }
  /** Unknown of a server in a process of its own. */
  sighting: Sighting | undefined
}

/** What the application saw of a request: told by its handler's doings, not by the session's own account. */
export interface Sighting {
  /** The members of the session that the handler called, in order. */
  calls: string[]
  /** The headers of the handler's own answer. */
  headers: Record<string, string>
  events: SessionEvent[]
  /** What reached the application's error handling. */
  errors: unknown[]
  /** An error that left every middleware behind was answered by the application: no header of ours can be on it. */
  isAnsweredOutside: boolean
}

/** The options that the manager under test was made with, as far as they show in its cookie. */
export interface Expected {
  cookie?: CookieOptions | undefined
  /** `either` where sessions have timeouts of their own. */
  persistent?: boolean | 'either' | undefined
}

/** A response, and of its cookies the session's. */
export interface Received {
  status: number
  headers: Headers
  body: string
  setCookie: string | undefined
}

/** A client for any number of servers: a response that breaks a rule of security.md rejects, and names the rule. */
export class ResponseRules {
  readonly #expected: Exchange['expected']
  readonly #tokens = new Set<string>()

  constructor({ cookie = {}, persistent = true }: Expected = {}) {
    this.#expected = { cookie, persistent }
  }

  /** Redirects are not followed. `sighting` is asked once the response is here. */
  async fetch(url: string, init: RequestInit = {}, sighting?: () => Sighting): Promise<Received> {
    const cookie = new Headers(init.headers).get('cookie') ?? ''
    const watch = watchConsole()
    let received: Omit<Received, 'setCookie'>
    try {
      const response = await fetch(url, { redirect: 'manual', ...init })
      received = { status: response.status, headers: response.headers, body: await response.text() }
    } finally {
      watch.stop()
    }
    for (const token of tokensIn(cookie)) this.#tokens.add(token)
    const exchange: Exchange = {
      ...received,
      cookie,
      written: watch.stop(),
      earlierTokens: this.#tokens,
      expected: this.#expected,
      sighting: sighting?.(),
    }
    const broken = brokenRules(exchange)
    const [own] = sessionCookies(exchange)
    if (own?.token) this.#tokens.add(own.token)
    if (broken.length > 0) throw new Error(`${new URL(url).pathname} breaks\n${broken.join('\n')}`)
    return { ...received, setCookie: own?.line }
  }
}

/** One message for every rule that the exchange breaks; it begins with the rule. */
export function brokenRules(exchange: Exchange): string[] {
  const [own] = sessionCookies(exchange)
  return Object.entries(rules).flatMap(([rule, wrongIn]) => {
    const wrong = wrongIn(exchange, own)
    return wrong === undefined ? [] : [`${rule}: ${wrong}`]
  })
}

/** The session's Set-Cookie. */
interface SetCookie {
  line: string
  /** Empty where it clears the cookie. */
  token: string
  attributes: string[]
}

type Rule = (exchange: Exchange, own: SetCookie | undefined) => string | undefined

/** By name; each says what is wrong. */
export const rules: Record<string, Rule> = {
  'A1: a request that leaves its session alone gets nothing of ours'({ headers, sighting }, own) {
    if (!sighting || sighting.calls.length > 0) return undefined
    const handlers = new Headers(sighting.headers)
    const added = ['vary', 'cache-control'].filter((name) => headers.get(name) !== handlers.get(name))
    if (own) added.push(own.line)
    return saysAny([...added, ...sighting.events.map(({ type }) => type)])
  },

  'S5: no token in the body or in a header, Set-Cookie of ours aside'(exchange, own) {
    const told = [exchange.body, ...otherHeaders(exchange).flat()].join('\n')
    return findsToken(told, exchange, own)
  },

  'S6: a token is handed out once, and again only with new timeouts'(exchange, own) {
    const { cookie, earlierTokens, sighting } = exchange
    if (!sighting || !own || !earlierTokens.has(own.token)) return undefined
    const isBrought = tokensIn(cookie).includes(own.token)
    return isBrought && sighting.calls.includes('setTimeouts') ? undefined : 'an earlier one came again'
  },

  'S10: a sign-out that failed leaves the cookie'({ status, sighting }, own) {
    if (status !== 503 || own?.token !== '' || sighting?.calls.includes('save')) return undefined
    return own.line
  },

  'S16, S22: the session cookie, set or cleared, has the attributes of the options'({ expected }, own) {
    if (!own) return undefined
    const isAge = (attribute: string) => attribute.startsWith('Max-Age=')
    const others = own.attributes.filter((each) => !isAge(each))
    const isRight =
      others.toSorted().join() === attributesOf(expected.cookie).toSorted().join() &&
      (own.token === '' || TOKEN.test(own.token)) &&
      isRightAge(own.attributes.filter(isAge), own.token === '', expected.persistent)
    return isRight ? undefined : own.line
  },

  'S23: at most one session cookie'(exchange) {
    const { length } = sessionCookies(exchange)
    return length > 1 ? `got ${length}` : undefined
  },

  'S24: a token is handed out only when a session begins, or gets a new token or timeouts'(
    { sighting },
    own,
  ) {
    if (!sighting || !own?.token) return undefined
    const { calls, events } = sighting
    const happened = events.map(({ type }) => type)
    if (calls.every((call) => READING.has(call))) return `the handler called ${calls.join() || 'nothing'}`
    if (happened.some((type) => BEGINNING.has(type))) return undefined
    return calls.includes('setTimeouts') && happened.includes('saved')
      ? undefined
      : `after ${happened.join()}`
  },

  'S30: the cookie is cleared only by destroy, and only where there was one'(exchange, own) {
    const { cookie, sighting } = exchange
    if (own?.token !== '') return undefined
    if (!cookie.split('; ').some((pair) => pair.startsWith(`${nameOf(exchange)}=`))) return 'none was sent'
    if (!sighting || sighting.calls.includes('destroy')) return undefined
    return `the handler called ${sighting.calls.join()}`
  },

  'S32: Vary names Cookie, and Cache-Control is there, where the session was touched'(exchange, own) {
    const { headers, sighting } = exchange
    const isTouched = sighting ? sighting.calls.length > 0 : own !== undefined
    if (!isTouched || sighting?.isAnsweredOutside) return undefined
    const [vary, cacheControl] = [headers.get('vary') ?? '', headers.get('cache-control') ?? '']
    const isVaried = vary.split(',').some((each) => ['*', 'cookie'].includes(each.trim().toLowerCase()))
    return isVaried && cacheControl !== '' ? undefined : `Vary: ${vary}, Cache-Control: ${cacheControl}`
  },

  'S33: no-store with a session cookie'({ headers }, own) {
    const cacheControl = headers.get('cache-control') ?? ''
    const isRight = cacheControl.split(',').some((each) => each.trim() === 'no-store')
    return own && !isRight ? `Cache-Control: ${cacheControl}` : undefined
  },

  'S34: neither public nor s-maxage with a session cookie'({ headers }, own) {
    const cacheControl = headers.get('cache-control') ?? ''
    return own && /public|s-maxage/i.test(cacheControl) ? cacheControl : undefined
  },

  'S37: a failure hands out no token but that of a session which save had committed'(exchange, own) {
    const { status, sighting } = exchange
    if (status < 500 || !own?.token || sighting?.calls.includes('save')) return undefined
    return `${status} with ${own.line}`
  },

  'S44: a 503 says nothing of hosts, keys or stacks'(exchange) {
    if (exchange.status !== 503) return undefined
    const headers = otherHeaders(exchange).filter(([name]) => name !== 'date')
    const told = [exchange.body, ...headers.flat()].join('\n')
    return [HOST, KEY, STACK].map((telltale) => telltale.exec(told)?.[0]).find((each) => each !== undefined)
  },

  'S57: events, errors and the console tell neither token nor key'(exchange, own) {
    const { events = [], errors = [] } = exchange.sighting ?? {}
    // Without an onEvent they would have been said.
    const said = events.filter(({ type }) => isWarning(type)).map(warningOf)
    const told = [exchange.written, ...said, ...[...events, ...errors].map(toldOf)].join('\n')
    return findsToken(told, exchange, own) ?? KEY.exec(told)?.[0]
  },
}

const BEGINNING: ReadonlySet<string> = new Set(['created', 'regenerated', 'signed-in'])
const READING: ReadonlySet<string> = new Set(['get', 'has', 'entries', 'exists', 'userId', 'save'])
const TOKEN = /^[\w-]{43}$/
/** Of tokens, too: both are 43 characters of base64url. */
const KEY = /(?<![\w-])[\w-]{43}(?![\w-])/
const HOST = /\b\d+\.\d+\.\d+\.\d+\b|\b[\w.-]+:\d{2,5}\b|\bE[A-Z]{5,}\b/
const STACK = /^\s*at .+:\d+/m
const MAX_AGE_SECONDS = 34_560_000

/** Written out from the documentation, not asked of the code that is under test. */
function attributesOf({
  path = '/',
  domain,
  secure = true,
  httpOnly = true,
  sameSite = 'lax',
  partitioned = false,
}: CookieOptions): string[] {
  const attributes = [`Path=${path}`, `SameSite=${{ lax: 'Lax', strict: 'Strict', none: 'None' }[sameSite]}`]
  if (domain !== undefined) attributes.push(`Domain=${domain}`)
  if (secure) attributes.push('Secure')
  if (httpOnly) attributes.push('HttpOnly')
  if (partitioned) attributes.push('Partitioned')
  return attributes
}

function isRightAge(ages: string[], isCleared: boolean, persistent: boolean | 'either'): boolean {
  if (isCleared) return ages.join() === 'Max-Age=0'
  if (ages.length === 0) return persistent !== true
  const seconds = Number(/^Max-Age=([1-9]\d*)$/.exec(ages.join())?.[1])
  return persistent !== false && seconds <= MAX_AGE_SECONDS
}

function nameOf({ expected: { cookie } }: Exchange): string {
  const { secure = true, domain, name } = cookie
  return name ?? (secure && domain === undefined ? '__Host-session' : 'session')
}

function sessionCookies(exchange: Exchange): SetCookie[] {
  const prefix = `${nameOf(exchange)}=`
  const lines = exchange.headers.getSetCookie().filter((line) => line.startsWith(prefix))
  return lines.map((line) => {
    const [pair, ...attributes] = line.split('; ')
    return { line, token: pair!.slice(prefix.length), attributes }
  })
}

/** All but the session's Set-Cookie. */
function otherHeaders(exchange: Exchange): [string, string][] {
  const own = new Set(sessionCookies(exchange).map(({ line }) => line))
  return [...exchange.headers].filter(([name, value]) => name !== 'set-cookie' || !own.has(value))
}

/** Whatever in a Cookie header could be one. */
function tokensIn(cookie: string): string[] {
  return cookie.split(/[;=\s]/).filter((each) => TOKEN.test(each))
}

function findsToken(text: string, { earlierTokens }: Exchange, own?: SetCookie): string | undefined {
  const isIn = (token: string) => token !== '' && text.includes(token)
  return isIn(own?.token ?? '') || [...earlierTokens].some(isIn) ? 'there is one' : undefined
}

function saysAny(wrong: string[]): string | undefined {
  return wrong.length > 0 ? wrong.join(', ') : undefined
}
