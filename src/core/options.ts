import { brandOf, MEMORY_STORE } from './brand.ts'
import { checkAbsoluteTimeout, checkBoolean, checkIdleTimeout, checkNames, kindOf, wrong } from './check.ts'
import type { CookieAttributes } from './http/cookie.ts'
import type { SessionEvent } from './events.ts'
import type { Services } from './record/record-io.ts'
import { checkBound } from './stores/arguments.ts'
import { MemoryStore } from './stores/memory-store.ts'
import type { SessionStore } from './stores/store.ts'

/** Options of {@link createSessionManager} and of the adapters; every one has a default but `secret` on a real store. */
export interface SessionOptions {
  /** Where sessions live. Default: a new `MemoryStore`. */
  store?: SessionStore | undefined
  /**
   * At least 32 bytes of randomness, as a string (its UTF-8 bytes count) or bytes; or a list, of which the first seals
   * and all open, to change secrets without signing anybody out. Required, except on a MemoryStore, where the default
   * is drawn at random for this process.
   */
  secret?: Secret | readonly Secret[] | undefined
  /** Seconds without a request until the session ends (ASVS 7.3.1); `false` for none. Default 86 400 (a day). */
  idleTimeout?: number | false | undefined
  /** Seconds from creation, anew from `signIn`, until the session ends, used or not (ASVS 7.3.2); at most 400 days. Default 1 209 600 (14 days). */
  absoluteTimeout?: number | undefined
  /** The session cookie. Default `__Host-session`, Path=/, Secure, HttpOnly, SameSite=Lax. */
  cookie?: CookieOptions | undefined
  /** Whether the browser keeps the cookie when it closes. Default `true`. */
  persistent?: boolean | undefined
  /** Whether to add `Vary: Cookie` and `Cache-Control` to responses that depend on the session. Default `true`. */
  cacheHeaders?: boolean | undefined
  /**
   * How many sessions a user may have at the same time (ASVS 7.1.2), from 1 to 100: one sign-in more ends the one that was
   * used longest ago, to ten minutes. Default 20.
   */
  maxSessionsPerUser?: number | undefined
  /**
   * The one hook for logs and metrics. What it throws is ignored: a logger that fails must not cost a session. Left out,
   * what an operator must know is said with `console.warn`, each kind at most once a minute (not under NODE_ENV=test);
   * given, nothing is: `() => {}` is silence.
   */
  onEvent?: ((event: SessionEvent) => void) | undefined
  /** Milliseconds since the epoch, for tests. Default `() => Date.now()`. */
  now?: (() => number) | undefined
}

/** A string, whose UTF-8 bytes count, or bytes; at least 32 of them. */
export type Secret = string | Uint8Array

/** Attributes of the session cookie (RFC 6265bis §4.1). Contradictions throw `TypeError`. */
export interface CookieOptions {
  /** Default `__Host-session`; `session` when `secure` is false or a `domain` is set. */
  name?: string | undefined
  /** Default `/`. With another, mount the middleware under that path: elsewhere the browser shows no cookie. */
  path?: string | undefined
  /** Default: none, which keeps the cookie to this very host. */
  domain?: string | undefined
  /** Default `true`; `false` for plain http. */
  secure?: boolean | undefined
  /** Default `true`: no script reads it. */
  httpOnly?: boolean | undefined
  /** Default `lax`. */
  sameSite?: 'lax' | 'strict' | 'none' | undefined
  /** CHIPS: a cookie jar per top-level site. Default `false`. */
  partitioned?: boolean | undefined
}

/** Options checked, with defaults filled in. */
export interface CheckedOptions extends Pick<
  Services,
  'store' | 'idleTimeout' | 'absoluteTimeout' | 'loadTtl' | 'persistent' | 'maxSessionsPerUser' | 'now'
> {
  secrets: () => readonly Uint8Array[]
  cookie: CookieAttributes
  cacheHeaders: boolean
  onEvent: ((event: SessionEvent) => void) | undefined
}

const OPTION_NAMES = [
  'store', 'secret', 'idleTimeout', 'absoluteTimeout', 'cookie', 'persistent', 'cacheHeaders', 'maxSessionsPerUser',
  'onEvent', 'now',
] // prettier-ignore
const COOKIE_NAMES = ['name', 'path', 'domain', 'secure', 'httpOnly', 'sameSite', 'partitioned']
const PREFIXES = ['__Host-Http-', '__Host-', '__Http-', '__Secure-']
const [SECONDS, INSIDE] = ['the options idleTimeout and absoluteTimeout, in seconds', 'it into cookie: { … }']
/** What other libraries' options are called, and what to write here. */
const CURES = {
  maxAge: SECONDS, expires: SECONDS, ttl: SECONDS, rolling: 'nothing, every read renews idleTimeout',
  resave: 'nothing, only changes are saved', saveUninitialized: 'nothing, only changes are saved',
  key: 'cookie: { name }', name: 'cookie: { name }', keys: 'secret', password: 'secret', cookieOptions: 'cookie',
  signed: 'nothing, tokens cannot be guessed', secure: INSIDE, sameSite: INSIDE, httpOnly: INSIDE, domain: INSIDE,
  path: INSIDE,
} // prettier-ignore
const MIN_SECRET_BYTES = 32
/** A user's list is read at every load of his sessions. */
const MOST_SESSIONS_PER_USER = 100
/** Examples of other libraries' documentation that are long enough to be taken for secrets; shorter ones fail by length. */
const EXAMPLE_SECRETS: ReadonlySet<string> = new Set([
  '80d42cfb-1cd2-462c-8f17-e3237d9027e9', // h3
  'Fischl von Luftschloss Narfidort', // Elysia
  'averylogphrasebiggerthanthirtytwochars', // @fastify/secure-session
  'use [openssl rand -hex 32] to generate a 32 bytes value', // nextjs-auth0
])
/** The rest say how long they have to be: those of iron-session, hono-sessions, @fastify/session, nuxt-auth-utils. */
const TELLS_ITS_LENGTH = /(at.least|minimum.length.of).32.characters/i

/** Throws `TypeError` or `RangeError` naming the option, what was expected and what came; never a secret. */
export function checkOptions(options: SessionOptions): CheckedOptions {
  checkNames('options', options, OPTION_NAMES, 'a plain object, { store, secret, … }, or a manager', CURES)
  // Looked up at each call: a test may put another clock in its place.
  const { now = () => Date.now(), onEvent } = options
  if (typeof now !== 'function') throw wrong('now', 'a function', now)
  if (onEvent !== undefined && typeof onEvent !== 'function') throw wrong('onEvent', 'a function', onEvent)
  const { store = new MemoryStore({ now }) } = options
  // Its content stays unsaid: an address may hold a password.
  if (typeof store !== 'object' || store === null) {
    throw new TypeError(`store: expected a SessionStore, got ${kindOf(store)}`)
  }
  for (const method of ['get', 'add', 'replace', 'set', 'delete'] as const) {
    if (typeof store[method] !== 'function') throw wrong(`store.${method}`, 'a function', store[method])
  }
  const { watch = () => {} } = store
  if (typeof watch !== 'function') throw wrong('store.watch', 'a function', watch)
  const { idleTimeout = 86_400, absoluteTimeout = 1_209_600, maxSessionsPerUser = 20 } = options
  checkIdleTimeout('idleTimeout', idleTimeout)
  checkAbsoluteTimeout('absoluteTimeout', absoluteTimeout)
  checkBound('maxSessionsPerUser', maxSessionsPerUser, MOST_SESSIONS_PER_USER)
  return {
    store,
    secrets: checkSecrets(options.secret, store),
    idleTimeout,
    absoluteTimeout,
    loadTtl: idleTimeout === false ? absoluteTimeout : idleTimeout,
    cookie: checkCookie(options.cookie),
    persistent: checkBoolean('persistent', options.persistent, true),
    cacheHeaders: checkBoolean('cacheHeaders', options.cacheHeaders, true),
    maxSessionsPerUser,
    onEvent,
    now,
  }
}

function checkSecrets(secret: unknown, store: SessionStore): () => readonly Uint8Array[] {
  if (secret === undefined && brandOf(store, MEMORY_STORE) !== undefined) return processSecrets
  const list: unknown[] = Array.isArray(secret) ? secret : [secret]
  if (list.length === 0) throw new TypeError('secret: expected at least one secret, got an empty list')
  const secrets = list.map((each) => {
    const bytes = typeof each === 'string' ? new TextEncoder().encode(each) : each
    if (!isBytes(bytes)) {
      const cure = each === undefined ? `; is its environment variable set? ${TRY}` : ''
      throw new TypeError(
        `secret: expected a string or Uint8Array of at least 32 bytes, got ${kindOf(each)}${cure}`,
      )
    }
    if (bytes.length < MIN_SECRET_BYTES) {
      throw new RangeError(`secret: expected at least ${MIN_SECRET_BYTES} bytes, got ${bytes.length}; ${TRY}`)
    }
    const flaw = isExample(bytes) ? 'a well-known example' : isRepetitive(bytes) ? 'a repetition' : undefined
    if (flaw) throw new TypeError(`secret: expected a random one, got ${flaw}; ${TRY}`)
    // Not slice, which in a Buffer is a view: the caller may wipe what he handed over.
    return new Uint8Array(bytes)
  })
  return () => secrets
}

/** Of any realm: a test runner's TextEncoder gives those of another one. */
function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Uint8Array)[Symbol.toStringTag] === 'Uint8Array'
}

const TRY = 'openssl rand -base64 32 makes one'

function isExample(secret: Uint8Array): boolean {
  const text = new TextDecoder().decode(secret)
  return EXAMPLE_SECRETS.has(text) || TELLS_ITS_LENGTH.test(text)
}

/** Whether it is one stretch of at most half the least length over and over, the last time perhaps in part. */
function isRepetitive(secret: Uint8Array): boolean {
  for (let stretch = 1; stretch <= MIN_SECRET_BYTES / 2; stretch++) {
    if (secret.every((byte, index) => index < stretch || byte === secret[index - stretch])) return true
  }
  return false
}

const DRAWN = Symbol.for('holdfast secret of this process')

/** One random secret for this process, so that managers on one MemoryStore share their sign-ins, of whatever copy. */
function processSecrets(): readonly Uint8Array[] {
  const process = globalThis as { [DRAWN]?: readonly Uint8Array[] }
  return (process[DRAWN] ??= [crypto.getRandomValues(new Uint8Array(MIN_SECRET_BYTES))])
}

function checkCookie(options: CookieOptions = {}): CookieAttributes {
  checkNames('cookie', options, COOKIE_NAMES, 'a plain object, { name, path, … }', CURES)
  const secure = checkBoolean('cookie.secure', options.secure, true)
  const { path = '/', domain, sameSite = 'lax' } = options
  const { name = secure && domain === undefined ? '__Host-session' : 'session' } = options
  const cookie: CookieAttributes = {
    name,
    path,
    domain,
    secure,
    httpOnly: checkBoolean('cookie.httpOnly', options.httpOnly, true),
    sameSite,
    partitioned: checkBoolean('cookie.partitioned', options.partitioned, false),
  }
  checkSyntax(cookie)
  checkContradictions(cookie)
  return cookie
}

/** One place for all: whatever gets past here stands in a Set-Cookie header as it is (Hono GHSA-5pq2-9x2x-5p6w). */
function checkSyntax({ name, path, domain, sameSite }: CookieAttributes): void {
  const check = (option: string, value: unknown, pattern: RegExp, expected: string) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw wrong(`cookie.${option}`, expected, value)
  }
  // cookie-name = token (RFC 6265bis §4.1.1, RFC 9110 §5.6.2)
  check('name', name, /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/, 'a token of RFC 9110, at most 256 characters')
  const expectedPath = 'a path as URLs have it, percent-encoded, that begins with / and holds no ";"'
  // Compared with the path of a URL, which holds nothing else unescaped, and no ";"; §5.6 bounds an attribute at 1024 bytes
  check('path', path, /^\/[!$-:=@-[\]_a-z|~]{0,1023}$/, expectedPath)
  // At most 253 characters, as DNS has names.
  const domainPattern = /^(?=.{1,253}$)\.?[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*$/
  if (domain !== undefined) check('domain', domain, domainPattern, 'a host name')
  const expectedSite = "'lax', 'strict' or 'none', in small letters ('strict' is what others call true)"
  check('sameSite', sameSite, /^(lax|strict|none)$/, expectedSite)
}

/** What browsers would refuse in silence (RFC 6265bis §5.7; `Http-`: draft-ietf-httpbis-layered-cookies). */
function checkContradictions(cookie: CookieAttributes): void {
  const { name, path, domain, secure, httpOnly, sameSite, partitioned } = cookie
  const refuse = (isWrong: boolean, what: string) => {
    if (isWrong) throw new TypeError(`cookie: ${what}`)
  }
  const lowered = name.toLowerCase()
  const prefix = PREFIXES.find((each) => lowered.startsWith(each.toLowerCase())) ?? ''
  const named = `a name with the prefix ${prefix}`
  refuse(prefix.startsWith('__Host-') && domain !== undefined, `${named} allows no domain`)
  refuse(prefix.startsWith('__Host-') && path !== '/', `${named} allows no path but '/'`)
  refuse(prefix !== '' && !secure, `${named} needs secure: true`)
  refuse(prefix.endsWith('Http-') && !httpOnly, `${named} needs httpOnly: true`)
  refuse(sameSite === 'none' && !secure, "sameSite: 'none' needs secure: true")
  refuse(partitioned && !secure, 'partitioned needs secure: true')
}
