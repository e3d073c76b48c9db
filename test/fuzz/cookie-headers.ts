import fc from 'fast-check'

const LIMIT = 16_384

/** Few, so that a header often holds one twice. */
const tokens = ['A', 'B', 'C', 'D', 'E', 'f0-_'].map((unit) => unit.repeat(43).slice(0, 43))
const token = fc.constantFrom(...tokens)

const character = (from: number, to: number) =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code))
const charactersOf = (allowed: string) => fc.constantFrom(...allowed)
const upTo = (maxLength: number, unit: fc.Arbitrary<string>, minLength = 0) =>
  fc.string({ unit, minLength, maxLength })

// token = 1*tchar (RFC 9110 §5.6.2)
const cookieName = upTo(
  8,
  charactersOf("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
  1,
)
// cookie-octet = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E (RFC 6265bis §4.1.1)
const cookieOctet = fc.oneof(
  character(0x23, 0x2b),
  character(0x2d, 0x3a),
  character(0x3c, 0x5b),
  character(0x5d, 0x7e),
  fc.constant('!'),
)
// cookie-value = *cookie-octet / ( DQUOTE *cookie-octet DQUOTE )
const quoted = (value: fc.Arbitrary<string>) => value.map((text) => `"${text}"`)
const cookieValue = fc.oneof(upTo(12, cookieOctet), quoted(upTo(12, cookieOctet)))

/** Names that are the session's, nearly, or not at all. */
const nameLike = (name: string) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(name) },
    { weight: 3, arbitrary: cookieName },
    { weight: 1, arbitrary: fc.constantFrom(name.toLowerCase(), name.toUpperCase(), `x${name}`, `${name}2`) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', name.replace('__Host-', ''), name.replace('_', '%5F'), `=${name}`),
    },
  )

const nearTokens: ((token: string) => string)[] = [
  (token) => token.slice(1),
  (token) => `${token}A`,
  (token) => `=${token}`,
  (token) => `${token}=`,
  (token) => `"${token}`,
  (token) => `${token}"`,
  (token) => `""${token}""`,
  (token) => `%41${token.slice(1)}`,
  (token) => `${token.slice(1)}%42`,
  (token) => `"%41${token.slice(1)}"`,
  (token) => `%41${token.slice(2)}%`,
  (token) => `%E0%A4${token}`,
  (token) => `${token},${token}`,
  (token) => `\\${token}`,
  () => '',
]

const valueLike = fc.oneof(
  { weight: 6, arbitrary: token },
  { weight: 2, arbitrary: cookieValue },
  { weight: 1, arbitrary: quoted(token) },
  {
    weight: 2,
    arbitrary: fc.tuple(token, fc.constantFrom(...nearTokens)).map(([text, nearly]) => nearly(text)),
  },
)

const space = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: upTo(3, charactersOf(' \t')) },
  {
    weight: 1,
    arbitrary: charactersOf('\n\r\v\f\0\u001F\u007F\u0085\u00A0\u1680\u2003\u2028\u3000\uFEFF\u200B'),
  },
)

/** A pair as the grammar has it, or with something around name and value, or without `=`. */
const pairLike = (name: string) =>
  fc
    .tuple(
      space,
      nameLike(name),
      space,
      fc.oneof({ weight: 12, arbitrary: fc.constant('=') }, { weight: 1, arbitrary: charactersOf('=:;, ') }),
      space,
      valueLike,
      space,
    )
    .map((parts) => parts.join(''))

const separator = fc.oneof(
  { weight: 8, arbitrary: fc.constant('; ') },
  { weight: 2, arbitrary: fc.constantFrom(';', ' ; ', ';;', '; ; ', ';\t', ';=;', ', ', '\n', ';\u00A0') },
)

const stray = fc.oneof(
  charactersOf(';=";=", \t\n\r\0\v\f\\%:,\'\u007F\u0080\u00A0\u00ADéı\u2003\uFEFF'),
  fc.constantFrom('\uD83D', '😀', '%41', '%E0%A4%A', '__Host-'),
)

type Mutation = (header: string) => string

const at = (header: string, place: number) => place % (header.length + 1)

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.tuple(fc.nat(), stray).map(
    ([place, text]): Mutation =>
      (header) =>
        insert(header, at(header, place), text),
  ),
  fc.tuple(fc.nat(), fc.nat({ max: 3 })).map(
    ([place, length]): Mutation =>
      (header) =>
        header.slice(0, at(header, place)) + header.slice(at(header, place) + length),
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.nat({ max: 60 })).map(
    ([from, to, length]): Mutation =>
      (header) =>
        insert(header, at(header, to), header.slice(at(header, from), at(header, from) + length)),
  ),
)

function insert(header: string, index: number, text: string): string {
  return header.slice(0, index) + text + header.slice(index)
}

/** Puts the bound of 16 KiB where it matters: at or beside the end of a token, of a name, of a pair. */
const padding: fc.Arbitrary<Mutation> = fc
  .tuple(fc.nat(), fc.integer({ min: -1, max: 1 }), fc.constantFrom('x', 'x', 'x', 'p=x', ' ', ';'))
  .map(([place, beside, unit]): Mutation => (header) => {
    const ends = [...header.matchAll(/[\w-]{43}|[;=]|$/g)].map(({ 0: found, index }) => index + found.length)
    const before = Math.max(0, LIMIT - 1 - ends[place % ends.length]! + beside)
    return `${unit.repeat(before).slice(0, before)};${header}`
  })

/** A cookie-string of the grammar, and what a hostile or broken client makes of one. */
export function cookieHeaders(name: string): fc.Arbitrary<string> {
  const grammatical = fc
    .array(
      fc
        .tuple(fc.oneof(fc.constant(name), cookieName), fc.oneof(token, cookieValue))
        .map((pair) => pair.join('=')),
      { minLength: 1, maxLength: 6 },
    )
    .map((pairs) => pairs.join('; '))
  const nearly = fc
    .array(
      fc.tuple(pairLike(name), separator).map((parts) => parts.join('')),
      { maxLength: 7 },
    )
    .map((pairs) => pairs.join(''))
  const mutated = fc
    .tuple(
      fc.oneof(grammatical, nearly),
      fc.array(mutation, { maxLength: 4 }),
      fc.oneof({ weight: 11, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: padding }),
    )
    .map(([header, mutations, pad]) =>
      [...mutations, pad].reduce((text, mutate) => mutate?.(text) ?? text, header),
    )
  return fc.oneof(
    { weight: 2, arbitrary: grammatical },
    { weight: 4, arbitrary: nearly },
    { weight: 6, arbitrary: mutated },
  )
}

/**
 * The headers in RFC 6265bis: the examples of §3.1, and what a server gets to see of the Set-Cookie examples of
 * §4.1.3 and §5.4, the last ones for servers that compare names without regard to case.
 */
export const rfcCookieHeaders = [
  'SID=31d4d96e407aad42',
  'SID=31d4d96e407aad42; lang=en-US',
  '__Secure-SID=12345',
  '__secure-SID=12345',
  '__SECURE-SID=12345',
  '__Host-SID=12345',
  '__host-SID=12345',
  '__HOST-SID=12345',
]

/** The Set-Cookie values of RFC 6265bis §3.1, §4.1.3 and §5.4. */
export const rfcSetCookies = [
  'SID=31d4d96e407aad42',
  'SID=31d4d96e407aad42; Path=/; Domain=site.example',
  'SID=31d4d96e407aad42; Path=/; Secure; HttpOnly',
  'lang=en-US; Path=/; Domain=site.example',
  'lang=en-US; Expires=Wed, 09 Jun 2021 10:18:14 GMT',
  '__Secure-SID=12345; Domain=site.example; Secure',
  '__Host-SID=12345; Secure; Path=/',
]
