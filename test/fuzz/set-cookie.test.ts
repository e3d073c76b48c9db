import { parseSetCookie } from 'cookie'
import fc from 'fast-check'
import { Cookie, CookieJar } from 'tough-cookie'
import { describe, expect, it } from 'vitest'
import { LONGEST_AGE_SECONDS } from '../../src/core/check.ts'
import { readSessionTokens, serializeCookie } from '../../src/core/http/cookie.ts'
import { checkOptions, type CookieOptions } from '../../src/core/options.ts'
import { generateToken } from '../../src/core/http/token.ts'
import { seedOr } from '../model/seed.ts'
import { FUZZ_TIMEOUT_MS, runsOr } from './runs.ts'

const seed = seedOr(626_520_012)
const RUNS = runsOr(2_000)

const upTo = (maxLength: number, allowed: string, minLength = 0) =>
  fc.string({ unit: fc.constantFrom(...allowed), minLength, maxLength })

const visible = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index)).join('')
const name = upTo(12, visible.replace(/[()<>@,;:\\"/[\]?={}]/g, ''), 1)
const path = fc
  .tuple(upTo(20, visible.replace(/["#;<>?\\^`{}]/g, '')), fc.constantFrom('', '/'))
  .map(([text, end]) => `/${text}${end}`)
const label = upTo(8, 'abcXYZ019', 1)
const domain = fc
  .tuple(fc.constantFrom('', '.'), label, label)
  .map(([dot, host, zone]) => `${dot}${host}.${zone}`)

const httpOnly = fc.boolean()
const sameSite = fc.constantFrom('lax', 'strict', 'none')
const prefixed = (...prefixes: string[]) =>
  fc.tuple(fc.constantFrom(...prefixes), name).map(([prefix, rest]) => prefix + rest)

/** Options that do not contradict each other. */
const cookieOptions: fc.Arbitrary<CookieOptions> = fc.oneof(
  fc.record(
    { name: prefixed('__Host-', '__host-'), httpOnly, sameSite, partitioned: fc.boolean() },
    { requiredKeys: ['name'] },
  ),
  fc.record(
    { name: prefixed('__Secure-', ''), path, domain, httpOnly, sameSite, partitioned: fc.boolean() },
    { requiredKeys: ['name'] },
  ),
  fc.record({ path, domain, httpOnly, sameSite, partitioned: fc.boolean() }, { requiredKeys: ['domain'] }),
  fc.record(
    { name, path, domain, secure: fc.constant(false), httpOnly, sameSite: fc.constantFrom('lax', 'strict') },
    { requiredKeys: ['secure'] },
  ),
) as fc.Arbitrary<CookieOptions>

const maxAge = fc.option(fc.integer({ min: 0, max: LONGEST_AGE_SECONDS }), { nil: undefined })

describe('writing Set-Cookie, read back by two parsers', () => {
  it(
    'S16, S19, S20: says exactly what the options say',
    () => {
      fc.assert(
        fc.property(cookieOptions, maxAge, (options, age) => {
          const { cookie } = checkOptions({ cookie: options })
          const token = generateToken()
          const setCookie = serializeCookie(cookie, { token, maxAge: age })
          // It leaves out what is not there.
          const isTold = ([, value]: [string, unknown]) => value !== false && value !== undefined
          const told = Object.entries({ ...cookie, value: token, maxAge: age }).filter(isTold)
          expect(parseSetCookie(setCookie)).toEqual(Object.fromEntries(told))
          expect(Cookie.parse(setCookie)).toMatchObject({
            key: cookie.name,
            value: token,
            path: cookie.path,
            // RFC 6265bis §5.6.3: a dot before it is ignored.
            domain: cookie.domain?.replace(/^\./, '').toLowerCase() ?? null,
            maxAge: age ?? null,
            secure: cookie.secure,
            httpOnly: cookie.httpOnly,
            sameSite: cookie.sameSite,
            extensions: cookie.partitioned ? ['Partitioned'] : null,
            expires: 'Infinity',
          })
        }),
        { numRuns: RUNS, seed },
      )
      console.log(`set-cookie: ${RUNS} options, seed ${seed}`)
    },
    FUZZ_TIMEOUT_MS,
  )

  it(
    'S16, H3: a browser keeps what is handed out, sends it back so that it is read, and drops it when it is cleared',
    () => {
      const options = fc.oneof(
        fc.constant<CookieOptions>({}),
        fc.record(
          {
            name: fc.constantFrom('__Secure-session', 'session', 'a.b'),
            path: fc.constantFrom('/', '/shop', '/shop/', '/a/b'),
            domain: fc.constantFrom('site.example', '.site.example', 'Site.Example'),
            httpOnly,
            sameSite: fc.constantFrom<'lax' | 'strict'>('lax', 'strict'),
          },
          { requiredKeys: ['name'] },
        ),
      )
      fc.assert(
        fc.property(
          options,
          fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
          (given, age) => {
            const { cookie } = checkOptions({ cookie: given })
            const url = `https://site.example${cookie.path}`
            const jar = new CookieJar(undefined, { prefixSecurity: 'strict' })
            const token = generateToken()
            jar.setCookieSync('theme=dark; Path=/', url)
            jar.setCookieSync(serializeCookie(cookie, { token, maxAge: age }), url)
            expect(readSessionTokens(jar.getCookieStringSync(url), cookie.name)).toEqual([token])
            jar.setCookieSync(serializeCookie(cookie, 'clear'), url)
            expect(jar.getCookieStringSync(url)).toBe('theme=dark')
          },
        ),
        { numRuns: Math.ceil(RUNS / 10), seed },
      )
    },
    FUZZ_TIMEOUT_MS,
  )
})
