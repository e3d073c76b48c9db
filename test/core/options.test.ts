import { randomBytes } from 'node:crypto'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { createSessionManager } from '../../src/core/manager.ts'
import { MemoryStore } from '../../src/core/stores/memory-store.ts'
import { checkOptions, type CookieOptions, type SessionOptions } from '../../src/core/options.ts'
import type { SessionStore } from '../../src/core/stores/store.ts'

/** Any store that outlives the process: it forbids the default secret. */
class LastingStore implements SessionStore {
  readonly #memory = new MemoryStore()
  get = this.#memory.get.bind(this.#memory)
  add = this.#memory.add.bind(this.#memory)
  replace = this.#memory.replace.bind(this.#memory)
  set = this.#memory.set.bind(this.#memory)
  delete = this.#memory.delete.bind(this.#memory)
}

function refusal(options: unknown): Error {
  try {
    createSessionManager(options as SessionOptions)
  } catch (error) {
    return error as Error
  }
  throw new Error('the options were taken')
}

function expectRefusal(
  options: unknown,
  kind: typeof TypeError | typeof RangeError,
  message: string | RegExp,
) {
  const error = refusal(options)
  expect(error).toBeInstanceOf(kind)
  if (typeof message === 'string') expect(error.message).toBe(message)
  else expect(error.message).toMatch(message)
}

/** As long as one has to be, and no two bytes alike. */
const GOOD = 'abcdefghijklmnopqrstuvwxyz012345'

const SECONDS = 'whole seconds from 1 to 34560000 (400 days)'

describe('options', () => {
  it('have defaults', () => {
    const { store, secrets: _, ...rest } = checkOptions({})
    expect(store).toBeInstanceOf(MemoryStore)
    expect(rest).toEqual({
      idleTimeout: 86_400,
      absoluteTimeout: 1_209_600,
      loadTtl: 86_400,
      cookie: {
        name: '__Host-session',
        path: '/',
        secure: true,
        httpOnly: true,
        sameSite: 'lax',
        partitioned: false,
      },
      persistent: true,
      cacheHeaders: true,
      maxSessionsPerUser: 20,
      onEvent: undefined,
      now: expect.any(Function),
    })
  })

  it('take undefined for every option and mean the default', () => {
    const names = [
      ['store', 'secret', 'idleTimeout', 'absoluteTimeout', 'cookie', 'persistent', 'cacheHeaders'],
      ['maxSessionsPerUser', 'onEvent', 'now'],
    ].flat()
    const cookieNames = ['name', 'path', 'domain', 'secure', 'httpOnly', 'sameSite', 'partitioned']
    const nothing = (keys: string[]) => Object.fromEntries(keys.map((key) => [key, undefined]))
    const { store: _, now: __, ...plain } = checkOptions({})
    expect(checkOptions(nothing(names))).toMatchObject(plain)
    expect(checkOptions({ cookie: nothing(cookieNames) }).cookie).toEqual(plain.cookie)
  })

  it('C8: give the default store the clock of the manager', async () => {
    let now = 0
    const { store } = checkOptions({ now: () => now })
    await store.add('key', new Uint8Array(1), 10)
    now = 9999
    expect(await store.get('key', 1)).toBeDefined()
    now = 20_000
    expect(await store.get('key', 1)).toBeUndefined()
  })

  it('S51: a read restarts the idle timeout, or the absolute one where there is no idle timeout', () => {
    expect(checkOptions({ idleTimeout: 60 }).loadTtl).toBe(60)
    expect(checkOptions({ idleTimeout: false, absoluteTimeout: 600 }).loadTtl).toBe(600)
  })

  it('a manager passes through createSessionManager as it is', () => {
    const manager = createSessionManager()
    expect(createSessionManager(manager)).toBe(manager)
  })

  it.each<[unknown, string | RegExp]>([
    [{ secrets: [] }, /^options: expected store, secret, idleTimeout, .*, now; got secrets$/],
    [{ constructor: 1 }, /^options: expected store, .*, now; got constructor$/],
    [{ ttl: undefined }, /^options: expected store, .*; got ttl; write the options idleTimeout and/],
    [
      { cookie: { maxAge: 1 } },
      'cookie: expected name, path, domain, secure, httpOnly, sameSite, partitioned; got maxAge; write the options idleTimeout and absoluteTimeout, in seconds',
    ],
    [{ now: 5 }, 'now: expected a function, got 5'],
    [{ now: null }, 'now: expected a function, got null'],
    [{ now: new Date(0) }, 'now: expected a function, got an instance of Date'],
    [{ onEvent: 'log' }, 'onEvent: expected a function, got "log"'],
    [{ onEvent: null }, 'onEvent: expected a function, got null'],
    [{ onEvent: [] }, 'onEvent: expected a function, got an array'],
    [{ persistent: 'yes' }, 'persistent: expected true or false, got "yes"'],
    [{ persistent: null }, 'persistent: expected true or false, got null'],
    [{ cacheHeaders: 0 }, 'cacheHeaders: expected true or false, got 0'],
  ])('refuse %j', (options, message) => {
    expectRefusal(options, TypeError, message)
  })

  const strange: [unknown, got: string][] = [
    [null, 'null'],
    [5, 'a number'],
    ['sid', 'a string'],
    [() => ({}), 'a function'],
    [[{ idleTimeout: 60 }], 'an array'],
    [Promise.resolve({}), 'a promise; await it'],
    [runInNewContext('(async () => ({}))()'), 'a promise; await it'],
    [new Map([['secret', GOOD]]), 'an instance of Map'],
    [runInNewContext('new Map()'), 'an instance of Map'],
    [new MemoryStore(), 'an instance of MemoryStore'],
    [new (class Configuration { idleTimeout = 60 })(), 'an instance of Configuration'],
    [new (class { idleTimeout = 60 })(), 'an instance of a class'],
    [Object.create({ idleTimeout: 60 }), 'an instance of Object'],
  ] // prettier-ignore
  it.each(strange)('L1: refuse what is no plain object, in place of the options and of cookie: %s', (value, got) => {
    const expected = 'expected a plain object, { store, secret, … }, or a manager'
    expectRefusal(value, TypeError, `options: ${expected}, got ${got}`)
    expectRefusal({ cookie: value }, TypeError, `cookie: expected a plain object, { name, path, … }, got ${got}`)
  }) // prettier-ignore

  it.each(['({ idleTimeout: 60, cookie: { name: "sid" } })', 'Object.assign(Object.create(null), { idleTimeout: 60, cookie: { name: "sid" } })'])(
    'L1: may be a plain object of another realm, as test runners have their own: %s',
    (code) => {
      expect(checkOptions(runInNewContext(code))).toMatchObject({ idleTimeout: 60, cookie: { name: 'sid' } })
    },
  ) // prettier-ignore

  it.each([
    ['express-session', { resave: false }, 'nothing, only changes are saved'],
    ['express-session', { saveUninitialized: true }, 'nothing, only changes are saved'],
    ['express-session', { name: 'sid' }, 'cookie: { name }'],
    ['koa-session', { key: 'sid' }, 'cookie: { name }'],
    ['koa-session', { maxAge: 60_000 }, 'the options idleTimeout and absoluteTimeout, in seconds'],
    ['koa-session', { rolling: true }, 'nothing, every read renews idleTimeout'],
    ['koa-session', { signed: true }, 'nothing, tokens cannot be guessed'],
    ['cookie-session', { keys: [GOOD] }, 'secret'],
    ['iron-session', { password: GOOD }, 'secret'],
    ['iron-session', { cookieOptions: {} }, 'cookie'],
    ['Hono', { httpOnly: true }, 'it into cookie: { … }'],
  ])('L1: say what to write for what %s calls otherwise: %j', (_, options, cure) => {
    const { message } = refusal(options)
    expect(message).toMatch(/^options: expected store, .*; got \w+; write /)
    expect(message.split('; write ')[1]).toBe(cure)
    expect(message).not.toContain(GOOD)
  })

  it.each(['get', 'add', 'replace', 'set', 'delete'])('refuse a store without %s', (method) => {
    const store = Object.assign(new LastingStore(), { [method]: undefined })
    const message = `store.${method}: expected a function, got undefined`
    expectRefusal({ store, secret: GOOD }, TypeError, message)
  })

  // `null` above all: `store: production ? memcached : null` must not end in a store per process.
  it.each<[unknown]>([[null], [{}], [[]], [5], [true], ['memcached://user:password@host:11211']])(
    'refuse %j for a store',
    (store) => {
      expectRefusal({ store, secret: GOOD }, TypeError, /^store\b.*: expected .*, got /)
      expect(refusal({ store, secret: GOOD }).message).not.toContain('password')
    },
  )
})

describe('timeouts', () => {
  const wrong: [unknown, typeof TypeError | typeof RangeError, string][] = [
    [0, RangeError, '0'],
    [-1, RangeError, '-1'],
    [1.5, RangeError, '1.5'],
    [Number.NaN, RangeError, 'NaN'],
    [Infinity, RangeError, 'Infinity'],
    [34_560_001, RangeError, '34560001'],
    ['60', TypeError, '"60"'],
    [true, TypeError, 'true'],
    [null, TypeError, 'null'],
    [60n, TypeError, 'a bigint'],
    [new Date(60), TypeError, 'an instance of Date'],
  ]
  it.each(wrong)('S21, S51: refuse %s', (value, kind, got) => {
    expectRefusal({ absoluteTimeout: value }, kind, `absoluteTimeout: expected ${SECONDS}, got ${got}`)
    expectRefusal({ idleTimeout: value }, kind, `idleTimeout: expected false or ${SECONDS}, got ${got}`)
  })

  it('may be switched off when idle, never when absolute', () => {
    expect(checkOptions({ idleTimeout: false }).idleTimeout).toBe(false)
    expectRefusal({ absoluteTimeout: false }, TypeError, `absoluteTimeout: expected ${SECONDS}, got false`)
  })

  it.each([1, 2_505_600, 2_592_000, 2_678_400, 34_560_000])('S21, S51: take %i s', (seconds) => {
    const checked = checkOptions({ idleTimeout: seconds, absoluteTimeout: seconds })
    expect(checked).toMatchObject({ idleTimeout: seconds, absoluteTimeout: seconds, loadTtl: seconds })
  })
})

describe('secrets', () => {
  const secretsOf = (options: SessionOptions) =>
    checkOptions(options)
      .secrets()
      .map((secret) => Buffer.from(secret).toString('latin1'))
  const [first, second] = [GOOD, `${GOOD}, and a second one`]
  const advice = '; openssl rand -base64 32 makes one'
  const unset = `undefined; is its environment variable set?${advice.slice(1)}`

  it('S49: may be a string, bytes or a list of both, in its order', () => {
    expect(secretsOf({ secret: first })).toEqual([first])
    expect(secretsOf({ secret: Buffer.from(first) })).toEqual([first])
    expect(secretsOf({ secret: new TextEncoder().encode(first) })).toEqual([first])
    expect(secretsOf({ secret: [second, Buffer.from(first)] })).toEqual([second, first])
  })

  it('L1: may be bytes of another realm, as a test runner may have its own', () => {
    const foreign: Uint8Array = runInNewContext('new Uint8Array(32).map((_, index) => index)')
    expect(foreign).not.toBeInstanceOf(Uint8Array)
    expect(checkOptions({ secret: foreign }).secrets()[0]).toEqual(new Uint8Array(foreign))
  })

  it('S49: count in bytes of UTF-8', () => {
    const letters = 'àáâãäåæçèéêëìíîï'
    expect(secretsOf({ secret: letters })).toHaveLength(1)
    expectRefusal({ secret: letters.slice(1) }, RangeError, short(30))
  })

  const wrong: [string, unknown, typeof TypeError | typeof RangeError, string][] = [
    ['31 characters', 'hunter2'.repeat(4) + 'abc', RangeError, short(31)],
    ['the empty string', '', RangeError, short(0)],
    ['31 bytes', Buffer.alloc(31, 'hunter2'), RangeError, short(31)],
    ['an empty list', [], TypeError, 'secret: expected at least one secret, got an empty list'],
    ['a short one in a list', [first, 'hunter2'], RangeError, short(7)],
    ['a gap in a list', [first, undefined], TypeError, got(unset)],
    ['a list in a list', [[first]], TypeError, got('an array')],
    ['null', null, TypeError, got('null')],
    ['false', false, TypeError, got('false')],
    ['an object', { secret: 'hunter2' }, TypeError, got('an object')],
    ['an ArrayBuffer', new ArrayBuffer(32), TypeError, got('an instance of ArrayBuffer')],
    ['other words than bytes', new Uint16Array(32), TypeError, got('an instance of Uint16Array')],
    ['a function', () => 'hunter2', TypeError, got('a function')],
    ['a symbol', Symbol('hunter2'), TypeError, got('a symbol')],
  ]
  it.each(wrong)('S49: refuse %s, on every store', (_, secret, kind, message) => {
    for (const store of [new MemoryStore(), new LastingStore()]) {
      expectRefusal({ store, secret }, kind, message)
      expect(refusal({ store, secret }).stack).not.toContain('hunter2')
    }
  })

  const digits = 31_415_926_535
  it.each<[string, unknown]>([
    ['a number', { secret: digits }],
    ['a number in a list', { secret: [first, digits] }],
    ['a bigint', { secret: BigInt(digits) }],
    ['an object', { secret: { digits } }],
    ['one handed over in place of the options', `${first}${digits}`],
    ['a password in an address handed over in place of the options', `memcached://user:${digits}@host:11211`],
    ['a good one beside a wrong option', { secret: `${first}${digits}`, idleTimeout: 0 }],
    ['a good one beside an unknown option', { secret: `${first}${digits}`, idle: 5 }],
  ])('B5: never show in an error: %s', (_, options) => {
    expect(refusal(options).stack).not.toContain(String(digits))
  })

  it('are required on every store but MemoryStore', () => {
    expectRefusal({ store: new LastingStore() }, TypeError, got(unset))
    expectRefusal({ store: new LastingStore(), secret: undefined }, TypeError, got(unset))
    expect(secretsOf({ store: new LastingStore(), secret: first })).toEqual([first])
  })

  it('are drawn at random, once a process, on a MemoryStore', () => {
    const [secret, ...none] = checkOptions({}).secrets()
    expect(none).toEqual([])
    expect(secret).toHaveLength(32)
    expect(new Set(secret).size).toBeGreaterThan(16)
    expect(checkOptions({ store: new MemoryStore() }).secrets()).toEqual([secret])
    expect(secretsOf({ store: new MemoryStore(), secret: first })).toEqual([first])
  })

  it.each([
    ['a Uint8Array', new TextEncoder().encode(first)],
    ['a Buffer', Buffer.from(first)],
  ])('are copied, so that the caller may wipe his own: %s', (_, secret) => {
    const { secrets } = checkOptions({ secret })
    secret.fill(0)
    expect(Buffer.from(secrets()[0]!).toString()).toBe(first)
  })

  it.each([
    ['iron-session', 'complex_password_at_least_32_characters_long'],
    ['hono-sessions', 'password_at_least_32_characters_long'],
    ['@fastify/session', 'a secret with minimum length of 32 characters'],
    ['@fastify/secure-session', 'averylogphrasebiggerthanthirtytwochars'],
    ['nuxt-auth-utils', 'password-with-at-least-32-characters'],
    ['nextjs-auth0', 'use [openssl rand -hex 32] to generate a 32 bytes value'],
    ['h3', '80d42cfb-1cd2-462c-8f17-e3237d9027e9'],
    ['Elysia', 'Fischl von Luftschloss Narfidort'],
    ['many a tutorial', 'Your-Secret-Key-At-Least-32-Characters-Long'],
  ])('S49: refuse the example of %s, as a string or as bytes, in a list or alone', (_, example) => {
    for (const secret of [example, Buffer.from(example), [first, example]]) {
      expectRefusal({ secret }, TypeError, `secret: expected a random one, got a well-known example${advice}`)
      expect(refusal({ secret }).stack).not.toContain(example)
    }
  })

  it.each([
    ['express-session', 'keyboard cat', 12],
    ['koa-session', 'some secret hurr', 16],
  ])('S49: refuse the example of %s for its length', (_, example, length) => {
    expectRefusal({ secret: example }, RangeError, short(length))
  })

  it.each<[string, string | Uint8Array]>([
    ['one character', 'x'.repeat(32)],
    ['a word', 'password'.repeat(5)],
    ['digits, the last time in part', '1234567890'.repeat(4).slice(0, 32)],
    ['half of what is needed', 'abcdefghijklmnop'.repeat(2)],
    ['bytes that are all zero', new Uint8Array(64)],
  ])('S49: refuse what repeats itself: %s', (_, secret) => {
    expectRefusal({ secret }, TypeError, `secret: expected a random one, got a repetition${advice}`)
  })

  it('S49: take what is random, whatever its form', () => {
    for (let index = 0; index < 100; index++) {
      const bytes = randomBytes(32)
      for (const secret of [bytes, bytes.toString('base64'), bytes.toString('hex')]) {
        expect(checkOptions({ secret }).secrets()).toHaveLength(1)
      }
    }
  })

  function short(length: number): string {
    return `secret: expected at least 32 bytes, got ${length}${advice}`
  }

  function got(what: string): string {
    return `secret: expected a string or Uint8Array of at least 32 bytes, got ${what}`
  }
})

describe('the cookie', () => {
  const nameOf = (cookie: CookieOptions) => checkOptions({ cookie }).cookie.name

  it.each<[CookieOptions, string]>([
    [{}, '__Host-session'],
    [{ sameSite: 'strict', httpOnly: false }, '__Host-session'],
    [{ secure: false }, 'session'],
    [{ domain: 'example.com' }, 'session'],
    [{ domain: 'example.com', secure: false }, 'session'],
    [{ name: 'sid' }, 'sid'],
    [{ name: '__Secure-sid', domain: 'example.com' }, '__Secure-sid'],
    [{ name: '__Host-sid' }, '__Host-sid'],
    [{ name: '__Host-Http-sid' }, '__Host-Http-sid'],
    [{ name: '__Http-sid', domain: 'example.com', path: '/shop' }, '__Http-sid'],
    [{ name: '__Host-sid', httpOnly: false }, '__Host-sid'],
    [{ name: '__Secure-Http-sid', httpOnly: false }, '__Secure-Http-sid'],
    [{ name: 'sid', path: '/shop' }, 'sid'],
    [{ name: 'a__Host-', domain: 'example.com' }, 'a__Host-'],
  ])('S18: of %j is called %s', (cookie, name) => {
    expect(nameOf(cookie)).toBe(name)
  })

  const hostPrefix = 'cookie: a name with the prefix __Host- '
  const hostHttpPrefix = 'cookie: a name with the prefix __Host-Http- '
  it.each<[CookieOptions, string]>([
    [{ name: '__Host-sid', domain: 'example.com' }, `${hostPrefix}allows no domain`],
    [{ name: '__Host-sid', path: '/shop' }, `${hostPrefix}allows no path but '/'`],
    [{ path: '/shop' }, `${hostPrefix}allows no path but '/'`],
    [{ name: '__Host-sid', secure: false }, `${hostPrefix}needs secure: true`],
    [{ name: '__hOST-sid', secure: false }, `${hostPrefix}needs secure: true`],
    [{ name: '__HOST-sid', domain: 'example.com' }, `${hostPrefix}allows no domain`],
    [{ name: '__Secure-sid', secure: false }, 'cookie: a name with the prefix __Secure- needs secure: true'],
    [{ name: '__secure-sid', secure: false }, 'cookie: a name with the prefix __Secure- needs secure: true'],
    [{ name: '__Http-sid', secure: false }, 'cookie: a name with the prefix __Http- needs secure: true'],
    [{ name: '__http-sid', httpOnly: false }, 'cookie: a name with the prefix __Http- needs httpOnly: true'],
    [{ name: '__Host-Http-sid', httpOnly: false }, `${hostHttpPrefix}needs httpOnly: true`],
    [{ name: '__host-hTTP-sid', secure: false }, `${hostHttpPrefix}needs secure: true`],
    [{ name: '__Host-Http-sid', domain: 'example.com' }, `${hostHttpPrefix}allows no domain`],
    [{ name: '__Host-Http-sid', path: '/shop' }, `${hostHttpPrefix}allows no path but '/'`],
    [{ sameSite: 'none', secure: false }, "cookie: sameSite: 'none' needs secure: true"],
    [{ partitioned: true, secure: false }, 'cookie: partitioned needs secure: true'],
  ])('S17: contradicts itself: %j', (cookie, message) => {
    expectRefusal({ cookie }, TypeError, message)
  })

  const controls = [...Array.from({ length: 32 }, (_, code) => code), 127].map((code) =>
    String.fromCharCode(code),
  )
  it('S19: holds no ; CR LF or other control character, in whatever place', () => {
    for (const character of [';', ...controls, '\u0080', 'é', '\u2028', '😀', '\uD83D']) {
      for (const place of ['name', 'path', 'domain'] as const) {
        for (const around of [
          ['a', 'b'],
          ['', 'b'],
          ['a', ''],
        ]) {
          const value = `${place === 'path' ? '/' : ''}${around.join(character)}`
          const error = refusal({ cookie: { name: 'sid', [place]: value } })
          expect(error, JSON.stringify(value)).toBeInstanceOf(TypeError)
          expect(error.message).toMatch(new RegExp(`^cookie\\.${place}: expected .*, got "`))
          // Shown escaped, so that it cannot forge a line of a log.
          for (const control of controls.slice(0, 32)) expect(error.message).not.toContain(control)
        }
      }
    }
  })

  it('S19: has a path that URLs can have: no browser asks for another as it stands, or sends the cookie', () => {
    const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index))
    // By Node 20 all of these but ^.
    const changed = ' "#;<>?\\^`{}'
    for (const character of printable) {
      const path = `/a${character}b`
      const cookie = { name: 'sid', path }
      if (changed.includes(character)) {
        expectRefusal({ cookie }, TypeError, /^cookie\.path: expected .*, got "/)
      } else {
        expect(checkOptions({ cookie }).cookie.path).toBe(path)
        expect(new URL(`https://site.example${path}`).pathname).toBe(path)
      }
    }
    expectRefusal(
      { cookie: { name: 'sid', path: '/shop ' } },
      TypeError,
      'cookie.path: expected a path as URLs have it, percent-encoded, that begins with / and holds no ";", got "/shop "',
    )
    expect(checkOptions({ cookie: { name: 'sid', path: '/a%20b/' } }).cookie.path).toBe('/a%20b/')
  })

  it('S19: has a name that is a token of RFC 9110', () => {
    for (const separator of '()<>@,;:\\"/[]?={} \t') {
      expectRefusal(
        { cookie: { name: `a${separator}b` } },
        TypeError,
        /^cookie\.name: expected a token of RFC/,
      )
    }
    for (const name of ["!#$%&'*+-.^_`|~", 'a', '0', 'A'.repeat(256)]) expect(nameOf({ name })).toBe(name)
  })

  it.each<[string, object]>([
    ['name', { name: '' }],
    ['name', { name: 'n'.repeat(257) }],
    ['name', { name: null }],
    ['name', { name: ['sid'] }],
    ['path', { path: '' }],
    ['path', { path: 'shop' }],
    ['path', { path: `/${'p'.repeat(1024)}` }],
    ['path', { path: 5 }],
    ['domain', { domain: '' }],
    ['domain', { domain: '.' }],
    ['domain', { domain: 'a..example' }],
    ['domain', { domain: 'a.example.' }],
    ['domain', { domain: 'a.example, b.example' }],
    ['domain', { domain: 'https://a.example' }],
    ['domain', { domain: 'a.example:8080' }],
    ['domain', { domain: `${'d'.repeat(252)}.x` }],
    ['domain', { domain: null }],
    ['sameSite', { sameSite: 'Lax' }],
    ['sameSite', { sameSite: true }],
    ['sameSite', { sameSite: 'lax; Domain=evil.example' }],
    ['sameSite', { sameSite: ['lax'] }],
    ['secure', { secure: 'auto' }],
    ['secure', { secure: null }],
    ['httpOnly', { httpOnly: 1 }],
    ['partitioned', { partitioned: 'true' }],
  ])('S19, S20: refuses a wrong %s: %j', (place, cookie) => {
    expectRefusal({ cookie }, TypeError, new RegExp(`^cookie\\.${place}: expected .*, got `))
  })
  it.each<[unknown, string]>([
    [true, 'true'],
    [false, 'false'],
    ['Lax', '"Lax"'],
    ['Strict', '"Strict"'],
    ['NONE', '"NONE"'],
  ])('L1: says what to write for sameSite: %j', (sameSite, got) => {
    const words = "'lax', 'strict' or 'none', in small letters ('strict' is what others call true)"
    expectRefusal({ cookie: { sameSite } }, TypeError, `cookie.sameSite: expected ${words}, got ${got}`)
  })
})
