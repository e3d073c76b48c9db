import { describeAttacks } from './attack.ts'
import { askRaw } from './raw-request.ts'
import type { Site } from './site.ts'

const [REGENERATE, WRITE] = ['src/core/session/regenerate.ts', 'src/core/session/write.ts']

describeAttacks('Who knows a token, or plants one', [
  {
    title: 'S7, E7: replays the token from before the sign-in',
    run: replayAfterSignIn,
    without: [
      {
        defence: 'a tombstone under the old key',
        removed: [
          {
            file: REGENERATE,
            piece: 'const swapped = await endPredecessor(commit, journal, loaded, begun)',
            replacement: "const swapped = { outcome: 'written' }",
          },
        ],
        gain: /^at once it reads .*rope/,
      },
    ],
  },
  {
    title: 'S9, E5: replays a token after the sign-out',
    run: replayAfterSignOut,
    without: [
      {
        defence: 'the end of the session in the store',
        removed: [
          {
            file: 'src/core/session/ending.ts',
            piece: 'await services.turns.take(session.keys.storeKey, () => end(session, io))',
            replacement: '',
          },
        ],
        gain: /^at once it reads .*alice/,
      },
    ],
  },
  {
    title: 'S6, B3: plants a token that nobody has',
    run: plantUnknownToken,
    without: [
      {
        defence: 'a fresh token for every new session',
        removed: [
          {
            file: 'src/core/session/load.ts',
            piece: 'return judged(io, [await loadToken(io, tokens[0]!, renews)])',
            replacement:
              'return { ...judged(io, [await loadToken(io, tokens[0]!, renews)]), presented: tokens[0] }',
          },
          {
            file: REGENERATE,
            piece: 'const session = await add(record, io)',
            replacement: 'const session = await add(record, io, commit.state.loaded.presented)',
          },
          {
            file: WRITE,
            piece: 'add(record: LiveRecord, io: RecordIO)',
            replacement: 'add(record: LiveRecord, io: RecordIO, presented?: string)',
          },
          {
            file: WRITE,
            piece: 'keysOf(generateToken())',
            replacement: 'keysOf(presented ?? generateToken())',
          },
        ],
        gain: /^the planted token reads .*4111/,
      },
    ],
  },
  {
    title: 'S7, E7: plants his own live token, and waits for the victim to sign in',
    run: plantLiveToken,
    without: [
      {
        defence: 'a new token on sign-in',
        removed: [
          {
            file: 'src/core/draft/journal.ts',
            piece: "type === 'regenerate' || type === 'sign-in'",
            replacement: "type === 'regenerate'",
          },
        ],
        gain: /^the planted token reads .*alice/,
      },
    ],
  },
  {
    title: "S26, B6: tosses his own live cookie from another path or domain before the victim's",
    run: tossLiveCookie,
    without: [
      {
        defence: 'refusing two live sessions',
        removed: [{ file: 'src/core/session/load.ts', piece: 'if (another) {', replacement: 'if (false) {' }],
        gain: /^the attacker's session now holds .*4111/,
      },
    ],
  },
  {
    title: 'S26, S27, B6: tosses hundreds of cookies, to have the store asked for each',
    run: tossManyCookies,
    without: [
      {
        defence: 'a bound on the tokens that are tried',
        removed: [
          {
            file: 'src/core/http/cookie.ts',
            piece: 'const MAX_TOKENS = 4',
            replacement: 'const MAX_TOKENS = 999',
          },
        ],
        gain: /^one request asked memcached 200 times$/,
      },
    ],
  },
])

async function replayAfterSignIn(site: Site): Promise<string[]> {
  const alice = site.visitor()
  await alice.set('cart', 'rope')
  const old = alice.cookie!
  await alice.signIn('alice')
  return [
    ...(await replay(site, old)),
    ...((await alice.read()).includes('alice') ? [] : ['alice is signed out']),
  ]
}

async function replayAfterSignOut(site: Site): Promise<string[]> {
  const alice = site.visitor()
  await alice.signIn('alice')
  const old = alice.cookie!
  await alice.signOut()
  return replay(site, old)
}

/** At once, when the tombstone is fresh, and when it is no longer believed and the token is merely unknown. */
async function replay({ visitor, clock }: Site, old: string): Promise<string[]> {
  const gains: string[] = []
  for (const when of ['at once', 'later']) {
    const mallory = visitor(old)
    await mallory.set('note', 'mallory was here')
    if (mallory.cookie === old && (await mallory.read()) !== '{}') gains.push(`${when} it takes his note`)
    const body = await visitor(old).read()
    if (body !== '{}') gains.push(`${when} it reads ${body}`)
    clock.ms += 31_000
  }
  return gains
}

async function plantUnknownToken({ visitor }: Site): Promise<string[]> {
  const planted = `__Host-session=${'M'.repeat(43)}`
  const alice = visitor(planted)
  await alice.set('card', '4111')
  const gains = (await visitor(planted).read()).includes('4111')
    ? [`the planted token reads ${await visitor(planted).read()}`]
    : []
  await alice.signIn('alice')
  const body = await visitor(planted).read()
  return body === '{}' ? gains : [...gains, `after the sign-in it reads ${body}`]
}

async function plantLiveToken({ visitor }: Site): Promise<string[]> {
  const mallory = visitor()
  await mallory.set('cart', 'rope')
  const planted = mallory.cookie
  await visitor(planted).signIn('alice')
  const body = await visitor(planted).read()
  return body === '{}' ? [] : [`the planted token reads ${body}`]
}

/** Also two, behind one that is dead, after the victim's, and in a Cookie line of its own. */
async function tossLiveCookie({ url, visitor, events }: Site): Promise<string[]> {
  const dead = `__Host-session=${'D'.repeat(43)}`
  const gains: string[] = []
  const [alice, mallory, trudy] = [visitor(), visitor(), visitor()]
  await alice.signIn('alice')
  await mallory.signIn('mallory')
  await trudy.signIn('trudy')
  const [hers, his] = [alice.cookie!, mallory.cookie!]
  for (const cookies of [
    [his, hers],
    [hers, his],
    [dead, his, hers],
    [his, trudy.cookie!, hers],
    [dead, his, `${his} `, hers],
  ]) {
    events.length = 0
    const victim = visitor(cookies.join('; '))
    const body = await victim.read()
    if (body !== '{}') gains.push(`the victim sees ${body}`)
    await victim.set('card', '4111')
    if (!events.includes('duplicate-cookie')) gains.push('no event tells of it')
    const stolen = await mallory.read()
    if (stolen !== '{"user":"mallory"}') gains.push(`the attacker's session now holds ${stolen}`)
  }
  if (/alice|mallory/.test(await askRaw(url, his, hers))) gains.push('two lines are not one header')
  const deadOne = await visitor(`${dead}; ${hers}`).read()
  if (deadOne !== '{"user":"alice"}') gains.push(`a dead cookie costs the victim her session: ${deadOne}`)
  const healed = visitor(`${his}; ${hers}`)
  await healed.signIn('alice')
  if ((await mallory.read()) !== '{}') gains.push('his session outlives her sign-in')
  if ((await visitor(`${his}; ${healed.cookie}`).read()) !== '{"user":"alice"}')
    gains.push('signing in heals nothing')
  return gains
}

async function tossManyCookies({ visitor, memcached }: Site): Promise<string[]> {
  const asked = async () => Number(/STAT cmd_touch (\d+)/.exec(await memcached.text('stats'))![1])
  const gains: string[] = []
  for (const count of [5, 200]) {
    const tokens = Array.from({ length: count }, (_, index) => String(index).padStart(43, 'x'))
    const before = await asked()
    await visitor(tokens.map((token) => `__Host-session=${token}`).join('; ')).read()
    const times = (await asked()) - before
    if (times > 4) gains.push(`one request asked memcached ${times} times`)
    if (times === 0) throw new Error('memcached counts something else')
  }
  return gains
}
