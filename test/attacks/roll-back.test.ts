import { describe, expect, it } from 'vitest'
import { describeAttacks } from './attack.ts'
import { soundBuild } from './build.ts'
import { keyOf } from './forge.ts'
import { put, valueOf } from './intruder.ts'
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
          gain: /^after 14 days: .*alice/,
        },
      ],
    },
    {
      title: 'S15, E9: does so after all sessions of the user were revoked',
      run: putBackAfterRevocation,
      without: [
        {
          defence: 'the epoch of the mark',
          removed: [
            {
              file: 'src/core/record/marks.ts',
              piece: 'return epoch !== undefined && base64url(epoch) === mark.epoch',
              replacement: 'return true',
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
              file: 'src/core/session/session.ts',
              piece: "this.#writable().draft.add({ type: 'regenerate' })",
              replacement: '',
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
    const { visitor, memcached } = await startSite(await soundBuild(), 'Hono')
    const alice = visitor()
    await alice.signIn('alice')
    const { token, cookie } = alice
    const record = await valueOf(memcached, keyOf(token))
    await alice.set('card', '4111')
    await alice.signOut()
    expect(await visitor(cookie).read()).toBe('{}')
    await put(memcached, keyOf(token), record)
    expect(await visitor(cookie).read()).toBe('{"user":"alice"}')
  })
})

async function putBackTooLate({ visitor, memcached, clock }: Site): Promise<string[]> {
  const alice = visitor()
  await alice.signIn('alice')
  const { token, cookie } = alice
  const record = await valueOf(memcached, keyOf(token))
  await alice.signOut()
  clock.ms += FORTNIGHT_MS
  await put(memcached, keyOf(token), record)
  const body = await visitor(cookie).read()
  return body === '{}' ? [] : [`after 14 days: ${body}`]
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
