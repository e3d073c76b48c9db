import { describeAttacks } from './attack.ts'
import { askRaw } from './raw-request.ts'
import type { Site } from './site.ts'

const COOKIE = 'src/core/http/cookie.ts'

describeAttacks('Who sends whatever Cookie header he likes', [
  {
    title: 'S25: pads the name and the value with what some take for white space',
    run: padWithSpaces,
    without: [
      {
        defence: 'trimming only space and tab',
        removed: [
          {
            file: COOKIE,
            piece: 'return code === 0x20 || code === 0x09',
            replacement: 'return /\\s/.test(text[index])',
          },
        ],
        gain: /^a0 passes for space/,
      },
    ],
  },
  {
    title: 'S4, B2: sends what is almost a token',
    run: sendAlmostTokens,
    without: [
      {
        defence: 'a check of its shape',
        removed: [{ file: COOKIE, piece: 'is32Bytes(token)', replacement: 'token !== ""' }],
        gain: /^memcached was asked about "/,
      },
    ],
  },
  {
    title: 'S27: sends 1 MB of it',
    run: sendMegabyte,
    without: [
      {
        defence: 'a bound on what is read',
        removed: [
          { file: COOKIE, piece: 'MAX_HEADER_LENGTH = 16_384', replacement: 'MAX_HEADER_LENGTH = Infinity' },
        ],
        gain: /^all of it is read/,
      },
    ],
  },
])

const NAME = '__Host-session'

/** The bytes of vertical tab, form feed, next line, no-break and ideographic space, and byte order mark, also in UTF-8. */
const SPACES = ['0b', '0c', '00', '0d', '0a', '85', 'a0', 'c285', 'c2a0', 'e38080', 'efbbbf', 'e2808b']

async function padWithSpaces({ url, visitor }: Site): Promise<string[]> {
  const mallory = visitor()
  await mallory.signIn('mallory')
  const { token } = mallory
  const gains: string[] = []
  for (const space of SPACES) {
    const pad = Buffer.from(space, 'hex').toString('latin1')
    const header = [
      `${pad}${NAME}=${token}`,
      `x=1;${pad}${NAME}=${token}`,
      `x=1; ${NAME}${pad}=${token}`,
      `x=1; ${NAME}=${pad}${token}`,
      `x=1; ${NAME}=${token}${pad}; x=1`,
    ].join('; ')
    const answer = await askRaw(url, Buffer.from(header, 'latin1'))
    if (answer.includes('mallory')) gains.push(`${space} passes for space`)
  }
  return gains
}

async function sendAlmostTokens({ url, visitor, memcached }: Site): Promise<string[]> {
  const alice = visitor()
  await alice.signIn('alice')
  const { token } = alice
  const asked = async () => /STAT cmd_touch (\d+)/.exec(await memcached.text('stats'))![1]
  const gains: string[] = []
  for (const value of [
    `"${token}"`,
    `%${token.charCodeAt(0).toString(16)}${token.slice(1)}`,
    `${token}=`,
    `${token}A`,
    token.slice(1),
    `${token},${token}`,
    `s:${token}.signature`,
    `../${token}`,
    token.repeat(200),
    `${token}\0`,
    `${token}\rx`,
    `${token}\n\tx`,
    `${token.slice(1)}\xe9`,
    '\x80\xff'.repeat(40),
    '{"user":"root"}',
    '__proto__',
  ]) {
    const before = await asked()
    const answer = await askRaw(url, Buffer.from(`${NAME}=${value}`, 'latin1'))
    const isRefused = /^HTTP\/1.1 400 /.test(answer) || answer.endsWith('{}') || answer.includes('\r\n{}\r\n')
    const shown = JSON.stringify(value.slice(0, 50))
    if ((await asked()) !== before) gains.push(`memcached was asked about ${shown}`)
    else if (!isRefused) gains.push(`${shown} is answered with ${answer}`)
  }
  return (await alice.read()) === '{"user":"alice"}' ? gains : [...gains, 'alice is signed out']
}

/** Node answers 431 by itself, unless it was told to let larger headers through. */
async function sendMegabyte(site: Site): Promise<string[]> {
  const alice = site.visitor()
  await alice.signIn('alice')
  const megabyte = `${'x=1;'.repeat(250_000)}`
  const refusal = await askRaw(site.url, megabyte + alice.cookie!)
  const gains = /^(HTTP\/1.1 431 |$)/.test(refusal) ? [] : [`Node answers ${refusal}`]
  const open = await site.another({ maxHeaderSize: 2_000_000 })
  const start = performance.now()
  const answer = await askRaw(open.url, megabyte + alice.cookie!)
  if (performance.now() - start > 2_000) gains.push('a second is not enough to read it')
  if (answer.includes('alice')) gains.push(`all of it is read: ${answer}`)
  if (!(await askRaw(open.url, `${alice.cookie!}; ${megabyte}`)).includes('alice'))
    gains.push('alice is signed out')
  return gains
}
