import { describe, expect, it } from 'vitest'
import { describeAttacks } from './attack.ts'
import { soundBuild } from './build.ts'
import { keyOf } from './forge.ts'
import { dump, put, valueOf } from './intruder.ts'
import { startSite, type Site } from './site.ts'

const FORTNIGHT_MS = 1_209_600_000

describeAttacks(
  'Who puts back an older record of the same key',
  [
    {
      title: 'S13, C2: waits for the absolute timeout first',
      run: putBackTooLate,
      without: [
        {
          defence: 'the deadline inside the record',
          removed: [
            {
              file: 'src/core/session/load.ts',
              piece: 'if (record.deadline <= now()) {',
              replacement: 'if (false) {',
            },
          ],
          gain: /^after 14 days: .*rope/,
        },
      ],
    },
    {
      title: 'S15, E9: does so after all sessions of the user were revoked',
      run: putBackAfterRevocation,
      without: [
        {
          defence: 'the list in the mark',
          removed: [
            {
              file: 'src/core/session/entry.ts',
              piece: "if (at < 0) return isBefore(found.record, entryId) ? 'mark-lost' : 'revoked'",
              replacement: 'if (at < 0) return undefined',
            },
          ],
          gain: /^after revokeAll: .*alice/,
        },
      ],
    },
    {
      title: 'S7, G2: puts back what the session was before the visitor signed in',
      run: putBackAnonymous,
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
          gain: /^the token from before the sign-in reads .*4111/,
        },
      ],
    },
  ],
  ['Hono', 'Koa'],
)

describe('What is not settled', () => {
  it('G2: a session that was signed out lives again when its old record is put back, by whoever holds its token', async () => {
    const { visitor, memcached } = await startSite(soundBuild, 'Hono')
    const stranger = visitor()
    await stranger.set('cart', 'rope')
    const { token, cookie } = stranger
    const record = await valueOf(memcached, keyOf(token))
    await stranger.set('card', '4111')
    await stranger.signOut()
    expect(await visitor(cookie).read()).toBe('{}')
    await put(memcached, keyOf(token), record)
    expect(await visitor(cookie).read()).toBe('{"cart":"rope"}')
  })

  it("G2, E9: a user's session only when the old list of the user is put back, too", async () => {
    const { visitor, memcached } = await startSite(soundBuild, 'Hono')
    const alice = visitor()
    await alice.signIn('alice')
    const { token, cookie } = alice
    const record = await valueOf(memcached, keyOf(token))
    const list = (await dump(memcached)).find(({ key }) => key !== keyOf(token))
    await alice.signOut()
    await put(memcached, keyOf(token), record)
    expect(await visitor(cookie).read()).toBe('{}')
    await put(memcached, list!.key, list!.value)
    expect(await visitor(cookie).read()).toBe('{"user":"alice"}')
  })

  it('G2, E9: a session that was revoked lives again when the old list of its user is put back', async () => {
    const { visitor, memcached, manager } = await startSite(soundBuild, 'Hono')
    const alice = visitor()
    await alice.signIn('alice')
    const list = (await dump(memcached)).find(({ key }) => key !== keyOf(alice.token))
    await manager.revokeAll('alice')
    expect(await alice.read()).toBe('{}')
    await put(memcached, list!.key, list!.value)
    expect(await alice.read()).toBe('{"user":"alice"}')
  })
})

/** Of a user's session the list, and of any other nothing but this, stands in his way once it was signed out. */
async function putBackTooLate({ visitor, memcached, clock }: Site): Promise<string[]> {
  const [alice, stranger] = [visitor(), visitor()]
  await alice.signIn('alice')
  await stranger.set('cart', 'rope')
  const taken = []
  for (const each of [alice, stranger]) {
    const key = keyOf(each.token)
    taken.push({ key, cookie: each.cookie, record: await valueOf(memcached, key) })
    await each.signOut()
  }
  clock.ms += FORTNIGHT_MS
  const gains: string[] = []
  for (const { key, cookie, record } of taken) {
    await put(memcached, key, record)
    const body = await visitor(cookie).read()
    if (body !== '{}') gains.push(`after 14 days: ${body}`)
  }
  return gains
}

async function putBackAfterRevocation({ visitor, memcached, manager }: Site): Promise<string[]> {
  const alice = visitor()
  await alice.signIn('alice')
  const record = await valueOf(memcached, keyOf(alice.token))
  await manager.revokeAll('alice')
  await put(memcached, keyOf(alice.token), record)
  const body = await alice.read()
  return body === '{}' ? [] : [`after revokeAll: ${body}`]
}

/** What it was may be seen again; what the visitor does once she is signed in is under another key. */
async function putBackAnonymous({ visitor, memcached }: Site): Promise<string[]> {
  const alice = visitor()
  await alice.set('cart', 'rope')
  const { token, cookie } = alice
  const record = await valueOf(memcached, keyOf(token))
  await alice.signIn('alice')
  await put(memcached, keyOf(token), record)
  await alice.set('card', '4111')
  const body = await visitor(cookie).read()
  return body === '{"cart":"rope"}' ? [] : [`the token from before the sign-in reads ${body}`]
}
