import { wrongMemories } from '../support/planted-memory.ts'
import { describeAttacks } from './attack.ts'
import { keyOf } from './forge.ts'
import { dump, put } from './intruder.ts'
import type { Site } from './site.ts'
import type { Visitor } from './visitor.ts'

const FORTNIGHT_MS = 1_209_600_000

/** Every application reads the session before the attack, so that its process remembers the record (S67). */
describeAttacks(
  'Who wants to be served from what a process remembers',
  [
    {
      title: 'S67, E6: comes back after another server has signed him out',
      run: signedOutElsewhere,
      without: [
        {
          defence: 'comparing the bytes',
          removed: wrongMemories.bytesNotCompared,
          gain: /^signed out: .*alice/,
        },
      ],
    },
    {
      title: 'S67, E9: comes back after another server has ended all sessions of the user',
      run: revokedElsewhere,
      without: [
        {
          defence: 'asking for the mark of what is remembered',
          removed: wrongMemories.markNotAsked,
          gain: /^revoked: .*alice/,
        },
      ],
    },
    {
      title: 'S67, C2: comes back after the absolute timeout',
      run: tooLate,
      without: [
        {
          defence: 'looking at the deadline of what is remembered',
          removed: wrongMemories.deadlineNotAsked,
          gain: /^too late: .*rope/,
        },
      ],
    },
    {
      title: 'S67, G1: brings a token to another application on the same memcached, which has another secret',
      run: bringElsewhere,
      without: [
        {
          defence: 'a memory for each manager',
          removed: wrongMemories.oneForAllManagers,
          gain: /^without the secret: .*rope/,
        },
      ],
    },
    {
      title: 'S67, D2: makes a request fail that has changed what it read',
      run: changeAndFail,
      without: [
        {
          defence: 'parsing values anew',
          removed: wrongMemories.parsedValues,
          gain: /^never saved: .*anchor/,
        },
      ],
    },
    {
      title: "S67, E9: writes a user's list once more, so that it is the same and has another version",
      run: writeTheSame,
      without: [
        {
          defence: "the version of the store's reply",
          removed: wrongMemories.theVersion,
          gain: /^her sessions cannot be ended: SessionConflictError$/,
        },
      ],
    },
  ],
  ['Hono', 'Koa'],
)

async function signedOutElsewhere(here: Site): Promise<string[]> {
  const alice = await signedIn(here)
  const { cookie } = alice
  const elsewhere = await here.another({})
  await elsewhere.visitor(cookie).signOut()
  return whatIsRead('signed out', here, cookie)
}

async function revokedElsewhere(here: Site): Promise<string[]> {
  const { cookie } = await signedIn(here)
  const elsewhere = await here.another({})
  await elsewhere.manager.revokeAll('alice')
  return whatIsRead('revoked', here, cookie)
}

async function tooLate(here: Site): Promise<string[]> {
  const { cookie } = await withCart(here)
  here.clock.ms += FORTNIGHT_MS
  return whatIsRead('too late', here, cookie)
}

async function bringElsewhere(here: Site): Promise<string[]> {
  const { cookie } = await withCart(here)
  const stranger = await here.another({ secret: 'the secret of another application, as long as ours' })
  return whatIsRead('without the secret', stranger, cookie)
}

async function changeAndFail({ visitor }: Site): Promise<string[]> {
  const alice = visitor()
  await alice.post('/set-json', '{"cart":["rope"]}')
  const { status } = await alice.open('/add-and-fail?key=cart&value=anchor')
  if (status !== 500) throw new Error(`the page answers ${status}`)
  const body = await alice.read()
  return body === '{"cart":["rope"]}' ? [] : [`never saved: ${body}`]
}

/** Of her list: of a record, the next write is remembered in place of what it was. */
async function writeTheSame(here: Site): Promise<string[]> {
  const { token, cookie } = await signedIn(here)
  const list = (await dump(here.memcached)).find(({ key }) => key !== keyOf(token))!
  await put(here.memcached, list.key, list.value)
  const failure = await here.manager.revokeAll('alice').catch((error: Error) => error)
  const stillReads = await whatIsRead('revoked', here, cookie)
  return failure ? [`her sessions cannot be ended: ${failure.name}`, ...stillReads] : stillReads
}

async function signedIn({ visitor }: Site): Promise<Visitor> {
  const alice = visitor()
  await alice.signIn('alice')
  const body = await alice.read()
  if (!body.includes('alice')) throw new Error(`she reads ${body}`)
  return alice
}

async function withCart({ visitor }: Site): Promise<Visitor> {
  const stranger = visitor()
  await stranger.set('cart', 'rope')
  const body = await stranger.read()
  if (!body.includes('rope')) throw new Error(`she reads ${body}`)
  return stranger
}

/** Twice: what the first request makes of it must not be served to the second one. */
async function whatIsRead(when: string, { visitor }: Site, cookie: string | undefined): Promise<string[]> {
  const bodies = [await visitor(cookie).read(), await visitor(cookie).read()]
  return bodies.flatMap((body) => (body === '{}' ? [] : [`${when}: ${body}`]))
}
