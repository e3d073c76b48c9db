import { describe, expect, it } from 'vitest'
import {
  hasCookie,
  readSessionTokens,
  serializeCookie,
  type CookieAttributes,
} from '../../../src/core/http/cookie.ts'
import { checkOptions, type CookieOptions } from '../../../src/core/options.ts'
import { seeded } from '../../support/seeded.ts'

const NAME = '__Host-session'
const A = 'A'.repeat(43)
const B = 'B'.repeat(43)
const read = (header: string) => readSessionTokens(header, NAME)

describe('reading the Cookie header', () => {
  it.each<[string, string, string[]]>([
    ['alone', `${NAME}=${A}`, [A]],
    ['first', `${NAME}=${A}; theme=dark`, [A]],
    ['last', `theme=dark; ${NAME}=${A}`, [A]],
    ['without spaces', `a=1;${NAME}=${A};b=2`, [A]],
    ['in spaces and tabs', `a=1; \t ${NAME} \t=\t ${A} \t ; b=2`, [A]],
    ['among empty pairs', `;;; ;${NAME}=${A};;`, [A]],
    ['beside a pair without a name', `=x; ${NAME}=${A}`, [A]],
    ['beside pairs without =', `x; ${NAME}; ${NAME}=${A}`, [A]],
    ['beside broken percent escapes', `x=%E0%A4%A; ${NAME}=${A}`, [A]],
  ])('S25: finds the token %s', (_, header, tokens) => {
    expect(read(header)).toEqual(tokens)
  })

  it.each([
    ['an empty header', ''],
    ['other cookies', 'theme=dark; lang=de'],
    ['a prefix before the name', `x${NAME}=${A}`],
    ['a prefix with dashes', `x-${NAME}=${A}`],
    ['a prefix with underscores', `x${NAME}=${A}; ___Host-session=${A}`],
    ['a suffix after the name', `${NAME}2=${A}; ${NAME}-x=${A}`],
    ['another case', `__host-session=${A}; __HOST-SESSION=${A}; __Host-Session=${A}`],
    ['the name without its prefix', `session=${A}; __Secure-session=${A}`],
    ['the name inside a value', `x=${NAME}=${A}`],
    ['the name as the value of a nameless cookie', `=${NAME}=${A}`],
    ['a percent-encoded name', `%5F_Host-session=${A}`],
    ['a quoted value', `${NAME}="${A}"`],
    ['a value in percent escapes', `${NAME}=%41${A.slice(1)}`],
    ['a second = in the value', `${NAME}==${A}`],
    ['a comma as separator', `x=1, ${NAME}=${A}`],
    ['no value', `${NAME}=; ${NAME}; ${NAME} ;`],
    ['a short value', `${NAME}=${A.slice(1)}`],
    ['a long value', `${NAME}=${A}A`],
  ])('S25: finds nothing in %s', (_, header) => {
    expect(read(header)).toEqual([])
  })

  it('S25: trims only space and tab', () => {
    const spaces = ['\n', '\r', '\v', '\f', '\0', '\u0085', '\u00A0', '\u1680', '\u2003', '\u2028', '\u3000']
    for (const space of [...spaces, '\uFEFF', '\u200B']) {
      expect(read(`${space}${NAME}=${A}`)).toEqual([])
      expect(read(`${NAME}${space}=${A}`)).toEqual([])
      expect(read(`${NAME}=${space}${A}`)).toEqual([])
      expect(read(`${NAME}=${A}${space}`)).toEqual([])
      expect(read(`x=1;${space}${NAME}=${A}`)).toEqual([])
    }
  })

  it('S19: takes the name literally, though it looks like a pattern', () => {
    expect(readSessionTokens(`axb=${A}; a.b=${B}`, 'a.b')).toEqual([B])
    expect(readSessionTokens(`aaa=${A}; a*=${B}`, 'a*')).toEqual([B])
    expect(readSessionTokens(`$=${A}; $|^=${B}`, '$|^')).toEqual([B])
  })

  it('B6: returns every token of the name in order, each once', () => {
    expect(read(`${NAME}=${B}; ${NAME}=${A}; ${NAME}=${B}; ${NAME}=${A}`)).toEqual([B, A])
  })

  it('B6: ignores malformed values of the name beside a good one', () => {
    expect(read(`${NAME}=x; ${NAME}=; ${NAME}=${A}; ${NAME}="${B}"`)).toEqual([A])
  })

  it('B6: returns at most 4, not counting repeats and malformed ones', () => {
    const tokens = Array.from({ length: 10 }, (_, index) => String(index).repeat(43))
    const header = tokens.map((token) => `${NAME}=${token}; ${NAME}=${token}; ${NAME}=x`).join('; ')
    expect(read(header)).toEqual(tokens.slice(0, 4))
  })

  it('S27: reads 16 KiB of header and no further', () => {
    const pair = `${NAME}=${A}`
    const padded = (length: number) => `x=${'x'.repeat(length - pair.length - 3)};${pair}`
    expect(read(padded(16_384))).toEqual([A])
    expect(read(padded(16_385))).toEqual([])
    expect(read(`${pair};${padded(20_000)}`)).toEqual([A])
    expect(hasCookie(padded(16_384), NAME)).toBe(true)
    expect(hasCookie(padded(17_000), NAME)).toBe(false)
  })

  it('S27: takes no token out of a longer value that 16 KiB cut short', () => {
    const padding = `x=${'x'.repeat(16_384 - `${NAME}=${A}`.length - 3)};`
    for (const rest of ['A', '=', ' ', '"; y=1', 'A'.repeat(20_000)]) {
      expect(read(`${padding}${NAME}=${A}${rest}`), rest).toEqual([])
    }
    expect(read(`${padding}${NAME}=${A};${NAME}=${B}`)).toEqual([A])
  })

  it('S27: takes linear time on hostile headers of 1 MB', () => {
    const size = 1_000_000
    const units = [';', '=', ' ', '\t', 'a', '"', '; ', ' =', `${NAME}`, `${NAME} `, `${NAME}=`, `${NAME}=;`]
    const headers = [...units, `${NAME}=${A};`, `${NAME}=${A} `, '\uD800', '__Host-'].map((unit) =>
      unit.repeat(Math.ceil(size / unit.length)),
    )
    const startedAt = performance.now()
    for (const header of headers) {
      for (let round = 0; round < 20; round++) {
        read(header)
        hasCookie(header, NAME)
      }
    }
    // 640 calls of about 0.1 ms; quadratic time over 16 KiB alone would take half a minute.
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })

  it('S27: never throws and agrees with a plain split, on 20 000 random headers', () => {
    const random = seeded(1)
    const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!
    const parts = [
      [NAME, 'session', '__Host-', '=', '=', ';', ';', '; ', ' ', '\t', '"', ',', '%41', '\\'],
      [A, B, 'C'.repeat(43), 'D'.repeat(44), 'é', '\u00A0', '\n', '\r', '\0', '\uD83D', '😀', '__proto__'],
      [`${NAME}=${A}`, `; ${NAME}=${B}`, `;${NAME} = ${'E'.repeat(43)} ;`],
    ].flat()
    for (let round = 0; round < 20_000; round++) {
      let header = ''
      for (let left = Math.floor(random() * 14); left > 0; left--) {
        header += random() < 0.05 ? String.fromCharCode(Math.floor(random() * 0x10000)) : pick(parts)
      }
      expect(read(header), JSON.stringify(header)).toEqual(naive(header).tokens)
      expect(hasCookie(header, NAME), JSON.stringify(header)).toBe(naive(header).has)
    }
  })
})

describe('hasCookie', () => {
  it.each([
    [`${NAME}=${A}`, true],
    [`a=1; ${NAME}=`, true],
    [`${NAME} = x`, true],
    [`${NAME}`, false],
    ['', false],
    [`x${NAME}=1; ${NAME}x=1; =${NAME}=1`, false],
  ])('H3: %j: %s, whatever the value', (header, found) => {
    expect(hasCookie(header, NAME)).toBe(found)
  })
})

describe('the Set-Cookie header', () => {
  const attributesOf = (cookie: CookieOptions) => checkOptions({ cookie }).cookie

  it('S16: is Path=/, Secure, HttpOnly and SameSite=Lax by default', () => {
    expect(serializeCookie(attributesOf({}), { token: A, maxAge: 1_209_600 })).toBe(
      `__Host-session=${A}; Path=/; Max-Age=1209600; Secure; HttpOnly; SameSite=Lax`,
    )
  })

  it('S16: says no Max-Age for a cookie that ends with the browser', () => {
    expect(serializeCookie(attributesOf({}), { token: A, maxAge: undefined })).toBe(
      `__Host-session=${A}; Path=/; Secure; HttpOnly; SameSite=Lax`,
    )
  })

  const everything: CookieOptions = {
    name: 'sid',
    path: '/shop',
    domain: 'example.com',
    httpOnly: false,
    sameSite: 'none',
    partitioned: true,
  }
  it.each<[CookieOptions, string]>([
    [everything, `sid=${A}; Path=/shop; Max-Age=60; Domain=example.com; Secure; SameSite=None; Partitioned`],
    [{ secure: false }, `session=${A}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax`],
    [{ sameSite: 'strict' }, `__Host-session=${A}; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Strict`],
    [
      { domain: 'a.example' },
      `session=${A}; Path=/; Max-Age=60; Domain=a.example; Secure; HttpOnly; SameSite=Lax`,
    ],
  ])('S16: says what %j says', (options, expected) => {
    expect(serializeCookie(attributesOf(options), { token: A, maxAge: 60 })).toBe(expected)
  })

  it.each<[CookieOptions]>([[{}], [everything], [{ secure: false }], [{ domain: 'a.example' }]])(
    'H3: clearing repeats name and attributes with Max-Age=0: %j',
    (options) => {
      const attributes = attributesOf(options)
      const cleared = serializeCookie(attributes, 'clear')
      expect(cleared).toBe(
        serializeCookie(attributes, { token: A, maxAge: 60 }).replace(A, '').replace('=60', '=0'),
      )
      expect(cleared).toMatch(/^[^=;]+=; /)
      expect(cleared.match(/Max-Age=[^;]*/g)).toEqual(['Max-Age=0'])
    },
  )

  it('H3: clears the default cookie exactly', () => {
    expect(serializeCookie(attributesOf({}), 'clear')).toBe(
      '__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax',
    )
  })

  it('S20: the longest cookie that the options allow is within the bounds', () => {
    const longest: CookieAttributes = attributesOf({
      name: 'n'.repeat(256),
      path: `/${'p'.repeat(1023)}`,
      domain: `${'d'.repeat(251)}.x`,
      sameSite: 'strict',
      partitioned: true,
    })
    const [pair, ...attributes] = serializeCookie(longest, { token: A, maxAge: 34_560_000 }).split('; ')
    expect(pair!.length).toBeLessThanOrEqual(4096)
    for (const attribute of attributes) {
      expect(attribute.slice(attribute.indexOf('=') + 1).length).toBeLessThanOrEqual(1024)
    }
    expect(serializeCookie(longest, { token: A, maxAge: 34_560_000 }).length).toBeLessThanOrEqual(4096)
  })
})

/** The same by brute force: split, trim, compare. */
function naive(header: string): { tokens: string[]; has: boolean } {
  const values = header
    .split(';')
    .map((pair) => pair.split('='))
    .filter(([name, ...rest]) => trim(name!) === NAME && rest.length > 0)
    .map(([, ...rest]) => trim(rest.join('=')))
  const tokens = [...new Set(values.filter((value) => /^[\w-]{43}$/.test(value)))]
  return { tokens: tokens.slice(0, 4), has: values.length > 0 }
}

function trim(text: string): string {
  return text.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '')
}
