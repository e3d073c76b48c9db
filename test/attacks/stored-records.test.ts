import { createHmac } from 'node:crypto'
import { describeAttacks } from './attack.ts'
import { forgeRecord, keyOf, plainRecord } from './forge.ts'
import { dump, PREFIX, put, valueOf } from './intruder.ts'
import type { Site } from './site.ts'

const KEYRING = 'src/core/crypto/keyring.ts'

describeAttacks(
  'Who reads and writes memcached',
  [
    {
      title: 'S3, S5, B5, G2: dumps it, looks for what sessions hold, and tries everything as a cookie',
      run: dumpEverything,
      without: [
        {
          defence: 'a store key derived from the token',
          removed: [
            {
              file: KEYRING,
              piece: "this.#primitives.sha256(this.#labelled('holdfast key', token))",
              replacement: 'token',
            },
          ],
          gain: /^a piece of .* signs in$/,
        },
        {
          defence: 'encryption',
          removed: [
            {
              file: KEYRING,
              piece: 'nativePrimitives() ?? webPrimitives',
              replacement: `{
              ...(nativePrimitives() ?? webPrimitives),
              encrypt: (_key, prefix, nonce, text) => Buffer.concat([prefix, nonce, Buffer.from(text), Buffer.alloc(16)]),
              decrypt: (_key, _nonce, sealed) => Buffer.from(sealed.subarray(0, -16)).toString(),
            }`,
            },
          ],
          gain: /^the dump shows alice@example\.com$/,
        },
      ],
    },
    {
      title: 'S5, G1: dumps it, and looks for the marks of users whose ids can be guessed',
      run: guessUsers,
      without: [
        {
          defence: 'the secret in the key of a mark',
          removed: [
            {
              file: KEYRING,
              piece: 'hmac512(bytes, label)',
              replacement: 'hmac512(new Uint8Array(), label)',
            },
          ],
          gain: /^alice@example\.com has been here$/,
        },
      ],
    },
    {
      title: 'S46, G2: swaps the records of two visitors',
      run: swapRecords,
      without: [
        {
          defence: 'a seal bound to token and store key',
          removed: [
            {
              file: KEYRING,
              piece: "this.#labelled('holdfast record', keys.token)",
              replacement: "this.#labelled('holdfast record', '')",
            },
            {
              file: KEYRING,
              piece: 'return characters + storeKey',
              replacement: 'return characters',
            },
          ],
          gain: /^alice reads .*bob/,
        },
      ],
    },
    {
      title: 'S48, G2: writes records that are not sealed',
      run: writePlainRecords,
      without: [
        {
          defence: 'refusing what is not sealed',
          removed: [
            {
              file: KEYRING,
              piece: 'return secret && after(',
              replacement: 'return !secret ? Buffer.from(bytes).toString() : after(',
            },
          ],
          gain: /^a plain record is read: .*root/,
        },
      ],
    },
    {
      title: 'S48, G2: seals records with a secret of his own',
      run: sealRecords,
      without: [
        {
          defence: 'the secret in the key of a record',
          removed: [
            {
              file: KEYRING,
              piece: 'return { bytes, hmac,',
              replacement: 'return { bytes, hmac: this.#primitives.hmac(new Uint8Array(32)),',
            },
          ],
          gain: /^a record under the genuine key id is read: .*root/,
        },
      ],
    },
    {
      title: 'S48, G2: turns the bits of his own record that say who he is',
      run: alterRecord,
      without: [
        {
          defence: 'authentication',
          removed: [{ file: 'src/core/crypto/native.ts', piece: 'decipher.final()\n', replacement: '\n' }],
          gain: /^mallory is alice01/,
        },
      ],
    },
    {
      title: 'S45, F6: writes values that are cut, empty, huge or noise',
      run: writeAbsurdValues,
      without: [
        {
          defence: 'a look at the length',
          removed: [{ file: KEYRING, piece: 'bytes.length < HEADER_BYTES + TAG_BYTES || ', replacement: '' }],
          gain: /^cut to 5 bytes: 500$/,
        },
      ],
    },
    {
      title: 'G1: brings a token from one manager to another with the same secret and store',
      run: crossManagers,
      without: [
        {
          defence: "the cookie's name in every key",
          removed: [
            { file: KEYRING, piece: '${label}\\0${this.#cookieName}\\0', replacement: '${label}\\0' },
          ],
          gain: /^the token of a shop is admin's: .*alice/,
        },
      ],
    },
  ],
  ['Hono', 'Koa'],
)

async function dumpEverything(site: Site): Promise<string[]> {
  const [alice, bob, carol] = [site.visitor(), site.visitor(), site.visitor()]
  const tokens: string[] = []
  await alice.set('card', '4111 1111 1111 1111')
  tokens.push(alice.token)
  await alice.signIn('alice@example.com')
  await bob.signIn('bob@example.com')
  await carol.signIn('carol@example.com')
  tokens.push(alice.token, bob.token, carol.token)
  await site.manager.revokeAll('bob@example.com')
  await carol.signOut()
  const items = await dump(site.memcached)
  if (items.length < 7) throw new Error(`the dump holds ${items.length} items`)
  const everything = items.map(({ key, value }) => key + value.toString('latin1')).join('\n')
  const shows = (each: string) => everything.includes(each)
  const secrets = [
    '4111 1111',
    'alice@example.com',
    'bob@example.com',
    'carol@example.com',
    'deadline',
    'signedInAt',
    'Firefox',
  ]
  const shown = secrets.filter(shows).map((each) => `the dump shows ${each}`)
  const bytes = tokens.map((token) => Buffer.from(token, 'base64url'))
  const forms = ['latin1', 'hex', 'base64'] as const
  const encoded = forms.flatMap((form) => bytes.map((each) => each.toString(form)))
  const found = [...tokens, ...encoded].filter(shows).map(() => 'the dump shows a token')
  const tried = await Promise.all(
    items.map(async ({ key, value }) => {
      for (const piece of piecesOf(key, value)) {
        const stranger = site.visitor(piece.map((each) => `__Host-session=${each}`).join('; '))
        if ((await stranger.read()) !== '{}') return [`a piece of ${key} signs in`]
      }
      return []
    }),
  )
  return [...shown, ...found, ...tried.flat()]
}

/** What might pass for a token: the key, and parts of the value, the latter by fours, since as many are tried. */
function piecesOf(key: string, value: Buffer): string[][] {
  const starts = [1, 5, 17, value.length - 48, value.length - 32]
  for (let start = 0; start <= value.length - 32; start += 16) starts.push(start)
  const parts = starts.map((start) => value.toString('base64url', start, start + 32))
  const pieces = [[key], [key.slice(PREFIX.length)]]
  for (let start = 0; start < parts.length; start += 4) pieces.push(parts.slice(start, start + 4))
  return pieces
}

async function guessUsers(site: Site): Promise<string[]> {
  await site.visitor().signIn('alice@example.com')
  const keys = new Set((await dump(site.memcached)).map(({ key }) => key))
  return ['alice@example.com', 'bob@example.com'].flatMap((user) => {
    const guess = createHmac('sha512', '').update(`holdfast user\0__Host-session\0${user}`).digest()
    const isHere = keys.has(PREFIX + guess.toString('base64url', 0, 32))
    return isHere ? [`${user} has been here`] : []
  })
}

async function swapRecords({ visitor, memcached, events }: Site): Promise<string[]> {
  const [alice, bob] = [visitor(), visitor()]
  await alice.signIn('alice')
  await bob.signIn('bob')
  const [hers, his] = [
    await valueOf(memcached, keyOf(alice.token)),
    await valueOf(memcached, keyOf(bob.token)),
  ]
  await put(memcached, keyOf(alice.token), his)
  await put(memcached, keyOf(bob.token), hers)
  events.length = 0
  const reads = [
    { name: 'alice', body: await alice.read() },
    { name: 'bob', body: await bob.read() },
  ]
  const gains = reads.filter(({ body }) => body !== '{}').map(({ name, body }) => `${name} reads ${body}`)
  return String(events) === 'invalid,invalid' ? gains : [...gains, `the events tell of ${events}`]
}

async function writePlainRecords({ visitor, memcached }: Site): Promise<string[]> {
  const mallory = visitor()
  await mallory.signIn('mallory')
  const genuine = await valueOf(memcached, keyOf(mallory.token))
  const record = Buffer.from(plainRecord('root'))
  const header = genuine.subarray(0, 5)
  const gains: string[] = []
  for (const [name, value] of [
    ['plain record', record],
    ['JSON object', '{"user":"root"}'],
    ['plain record behind a genuine header', Buffer.concat([genuine.subarray(0, 17), record])],
    ['plain record behind a format and a key id', Buffer.concat([header, record])],
    ...[0, 2, 0x7b, 0xff].map((format) => {
      return [`record of format ${format}`, Buffer.concat([Buffer.of(format), genuine.subarray(1)])] as const
    }),
  ] as const) {
    await put(memcached, keyOf(mallory.token), Buffer.from(value))
    const body = await mallory.read()
    if (body !== '{}') gains.push(`a ${name} is read: ${body}`)
  }
  return gains
}

async function sealRecords({ visitor, memcached }: Site): Promise<string[]> {
  const mallory = visitor()
  await mallory.signIn('mallory')
  const genuine = await valueOf(memcached, keyOf(mallory.token))
  const ownToken = 'M'.repeat(43)
  const record = plainRecord('root')
  const secret = new Uint8Array(32)
  const keyId = genuine.subarray(1, 5)
  const gains: string[] = []
  for (const [token, name, value] of [
    [mallory.token, 'a record under its own key id', forgeRecord(mallory.token, record, secret)],
    [mallory.token, 'a record under the genuine key id', forgeRecord(mallory.token, record, secret, keyId)],
    [ownToken, 'a record for a token of his own', forgeRecord(ownToken, record, secret, keyId)],
  ] as const) {
    await put(memcached, keyOf(token), value)
    const body = await visitor(`__Host-session=${token}`).read()
    if (body !== '{}') gains.push(`${name} is read: ${body}`)
  }
  return gains
}

/** The data stands at the end of a record, and he knows his own. */
async function alterRecord({ visitor, memcached }: Site): Promise<string[]> {
  const mallory = visitor()
  await mallory.signIn('mallory')
  const value = await valueOf(memcached, keyOf(mallory.token))
  const start = value.length - 16 - '"mallory"'.length
  const [from, to] = [Buffer.from('"mallory"'), Buffer.from('"alice01"')]
  for (let index = 0; index < from.length; index++) value[start + index]! ^= from[index]! ^ to[index]!
  await put(memcached, keyOf(mallory.token), value)
  const body = await mallory.read()
  return body === '{}' ? [] : [`mallory is ${(JSON.parse(body) as { user: string }).user}`]
}

async function writeAbsurdValues({ visitor, memcached, events }: Site): Promise<string[]> {
  const alice = visitor()
  await alice.signIn('alice')
  const genuine = await valueOf(memcached, keyOf(alice.token))
  const cuts = [0, 1, 2, 5, 6, 16, 17, 18, 32, 33, 34, 64, genuine.length - 16, genuine.length - 1]
  const huge = Buffer.alloc(7_000_000, 0x7b)
  const gains: string[] = []
  for (const [name, value] of [
    ...cuts.map((length) => [`cut to ${length} bytes`, genuine.subarray(0, length)] as const),
    ['one byte too long', Buffer.concat([genuine, Buffer.of(0)])],
    ['huge', huge],
    ['huge behind a genuine beginning', Buffer.concat([genuine, huge])],
    ['noise', Buffer.from(Array.from({ length: 999 }, (_, index) => (index * 7919) & 0xff))],
  ] as const) {
    await put(memcached, keyOf(alice.token), value)
    events.length = 0
    const { status, body } = await alice.open('/all')
    if (status !== 200) gains.push(`${name}: ${status}`)
    else if (body !== '{}' || String(events) !== 'invalid') gains.push(`${name}: ${body}, ${events}`)
  }
  return gains
}

async function crossManagers(shop: Site): Promise<string[]> {
  const admin = await shop.another({ cookie: { name: '__Host-admin' } })
  const alice = shop.visitor()
  await alice.signIn('alice')
  const body = await admin.visitor(`__Host-admin=${alice.token}`).read()
  return body === '{}' ? [] : [`the token of a shop is admin's: ${body}`]
}
