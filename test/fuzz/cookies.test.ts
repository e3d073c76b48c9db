import { parseCookie } from 'cookie'
import fc from 'fast-check'
import { parse as parseByHono } from 'hono/utils/cookie'
import { Cookie, CookieJar } from 'tough-cookie'
import { describe, expect, it } from 'vitest'
import { hasCookie, readSessionTokens } from '../../src/core/http/cookie.ts'
import { seedOr } from '../model/seed.ts'
import { cookieHeaders, rfcCookieHeaders, rfcSetCookies } from './cookie-headers.ts'
import {
  allowedCells,
  documentedCells,
  explain,
  isToken,
  parsers,
  valuesOf,
  type Parser,
} from './differences.ts'
import { FUZZ_TIMEOUT_MS, runsOr } from './runs.ts'

const seed = seedOr(626_520_011)
const RUNS = runsOr(5_000)

/** What a parser takes for the value of the cookie. */
const readers: Record<Parser, (header: string, name: string) => string | undefined> = {
  cookie: (header, name) => parseCookie(header)[name],
  Hono: (header, name) => parseByHono(header, name)[name],
  'tough-cookie': (header, name) =>
    header
      .split(';')
      .map((pair) => Cookie.parse(pair))
      .find((cookie) => cookie?.key === name)?.value,
}

/** B6: what Holdfast is to make of the values of its name. */
const tokensAmong = (values: string[]) => [...new Set(values.filter(isToken))].slice(0, 4)

describe('reading the Cookie header, beside three parsers', () => {
  it('S25: docs/cookies.md lists the differences that the fuzzer allows, and no others', () => {
    expect(documentedCells().toSorted()).toEqual(allowedCells().toSorted())
  })

  it(
    'S25, S27, B6: differs from them only as docs/cookies.md says, and never throws',
    () => {
      const counts = new Map<string, number>()
      const count = (what: string) => counts.set(what, (counts.get(what) ?? 0) + 1)
      const cases = fc
        .constantFrom('__Host-session', '__Host-session', 'session', 'a.b')
        .chain((name) => fc.tuple(fc.constant(name), cookieHeaders(name)))
      fc.assert(
        fc.property(cases, ([name, header]) => {
          const tokens = readSessionTokens(header, name)
          expect(tokens).toEqual(tokensAmong(valuesOf(header, name)))
          expect(hasCookie(header, name)).toBe(valuesOf(header.slice(0, 16_384), name).length > 0)
          for (const parser of parsers) {
            const value = readers[parser](header, name)
            expect(value, parser).toBe(valuesOf(header, name, parser)[0])
            const differences = explain(header, name, parser)
            for (const difference of differences) count(`${difference}: ${parser}`)
            if (differences.length > 0) continue
            expect(tokens, parser).toEqual(value === undefined ? [] : [value])
            count(`${value === undefined ? 'no cookie' : 'the same token'}: ${parser}`)
          }
        }),
        { numRuns: RUNS, seed },
      )
      console.log(`cookies: ${RUNS} headers, seed ${seed}, ${JSON.stringify(Object.fromEntries(counts))}`)
      expect([...counts.keys()]).toEqual(expect.arrayContaining(allowedCells()))
      for (const parser of parsers) expect(counts.get(`the same token: ${parser}`)).toBeGreaterThan(RUNS / 20)
    },
    FUZZ_TIMEOUT_MS,
  )

  it.each(rfcCookieHeaders)('S25: reads the example of RFC 6265bis as they do: %s', (header) => {
    const token = 'T'.repeat(43)
    for (const name of ['SID', 'lang', '__Secure-SID', '__Host-SID', 'Host-SID', 'sid']) {
      for (const parser of parsers) {
        expect(hasCookie(header, name), parser).toBe(readers[parser](header, name) !== undefined)
        const withToken = header.replace(/=[^;]*/g, `=${token}`)
        const value = readers[parser](withToken, name)
        expect(readSessionTokens(withToken, name), parser).toEqual(value === undefined ? [] : [value])
      }
    }
  })

  it.each(rfcSetCookies)(
    'S25: reads what a browser sends after RFC 6265bis’s Set-Cookie: %s',
    (setCookie) => {
      const token = 'T'.repeat(43)
      const jar = new CookieJar(undefined, { prefixSecurity: 'strict' })
      const url = 'https://site.example/'
      const name = setCookie.split('=')[0]!
      for (const sent of ['theme=dark; Path=/', setCookie.replace(/=[^;]*/, `=${token}`)]) {
        jar.setCookieSync(sent, url)
      }
      expect(readSessionTokens(jar.getCookieStringSync(url, { expire: false }), name)).toEqual([token])
    },
  )
})
