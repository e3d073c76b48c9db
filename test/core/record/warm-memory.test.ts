import crypto from 'node:crypto'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MemoryStore, type SessionManager } from '../../../src/core/index.ts'
import { createBench, type Bench } from '../../support/managers.ts'
import { secret, stores } from '../../support/stores.ts'
import { useUsers, type UsersBench } from '../../support/users.ts'
import { visitOk } from '../../support/visit.ts'

const ABSOLUTE = 7_200
const NEW_SECRET = 'the secret that replaces the one before, as long'

const decipher = vi.spyOn(crypto, 'createDecipheriv')
afterEach(() => decipher.mockClear())

const userOf = async (manager: SessionManager, cookie: string) =>
  (await visitOk(manager, cookie, (session) => session.get('user'))).result

/** What the server reads by then is in its memory. */
async function warm(manager: SessionManager, cookie: string): Promise<void> {
  expect(await userOf(manager, cookie)).toBe('u1')
  const before = decipher.mock.calls.length
  expect(await userOf(manager, cookie)).toBe('u1')
  expect(decipher.mock.calls.length).toBe(before)
}

/** Twice, since the first may be remembered. */
async function tells(bench: Bench, manager: SessionManager, cookie: string, told: string): Promise<void> {
  for (let time = 0; time < 2; time++) {
    bench.forget()
    expect(await userOf(manager, cookie)).toBeUndefined()
    expect(bench.lastEvents.map(({ type, reason }) => (reason ? `${type}: ${reason}` : type))).toEqual([told])
  }
}

interface Meanwhile extends UsersBench {
  cookie: string
  /** Another server on the store. */
  there: SessionManager
  /** Of the record and the user's list. */
  keys: { record: string; mark: string }
  lose(key: string): Promise<void>
}

/** What happens to a user's session while one server has it in memory, and what that one tells of it then. */
const ends: [string, (meanwhile: Meanwhile) => unknown, string][] = [
  ['signed out', ({ there, cookie }) => visitOk(there, cookie, (session) => session.destroy()), 'ended: signed-out'],
  ['given a new token', ({ there, cookie }) => visitOk(there, cookie, (session) => session.regenerateId()), 'ended: regenerated'],
  ['signed in over', ({ there, cookie, other }) => visitOk(there, cookie, (session) => session.signIn(other)), 'ended: regenerated'],
  ['revoked with all of its user’s', ({ there, user }) => there.revokeAll(user), 'ended: revoked'],
  ['revoked by its id', async ({ there, user }) => there.revoke(user, (await there.listSessions(user))[0]!.id), 'ended: revoked'],
  ['ended by the cap', ({ another, user }) => visitOk(another({ maxSessionsPerUser: 1 }), undefined, (session) => session.signIn(user)), 'ended: revoked'],
  ['deprived of its user’s list', ({ lose, keys }) => lose(keys.mark), 'ended: mark-lost'],
  ['gone from the store', ({ lose, keys }) => lose(keys.record), 'unknown'],
  ['past its absolute timeout', ({ clock }) => (clock.ms += ABSOLUTE * 1000), 'expired'],
  ['given a shorter timeout, which is over,', async ({ there, cookie, clock }) => {
    await visitOk(there, cookie, (session) => session.setTimeouts({ absolute: 60 }))
    clock.ms += 60_000
  }, 'expired'],
  ['sealed with a secret that only another server has', ({ another, cookie }) => visitOk(another({ secret: [NEW_SECRET, secret] }), cookie, (session) => session.set('more', 1)), 'invalid'],
] // prettier-ignore

describe.each(stores)('a session that a server remembers, on $name', ({ open }) => {
  const store = open()
  const bench = useUsers(store, { absoluteTimeout: ABSOLUTE })
  const begin = async () =>
    (
      await visitOk(bench.manager, undefined, (session) => {
        session.signIn(bench.user)
        session.set('user', 'u1')
      })
    ).cookie

  it.each(ends)('S67: %s meanwhile, is not served from memory', async (_, happens, told) => {
    const cookie = await begin()
    const keys = await bench.keysOf(cookie)
    await warm(bench.manager, cookie)
    const lose = (key: string) => store.current.delete(key)
    await happens({ ...bench, cookie, there: bench.another(), keys, lose })
    await tells(bench, bench.manager, cookie, told)
  })

  it('S67: changed meanwhile, is served as it is now', async () => {
    const cookie = await begin()
    await warm(bench.manager, cookie)
    await visitOk(bench.another(), cookie, (session) => session.set('user', 'u2'))
    expect(await userOf(bench.manager, cookie)).toBe('u2')
    await visitOk(bench.another(), cookie, (session) => session.delete('user'))
    expect(await userOf(bench.manager, cookie)).toBeUndefined()
  })

  it('S67, G3: is not served once its secret was dropped', async () => {
    const cookie = await begin()
    const rotating = bench.another({ secret: [NEW_SECRET, secret] })
    await warm(bench.manager, cookie)
    await warm(rotating, cookie)
    await tells(bench, bench.another({ secret: NEW_SECRET }), cookie, 'invalid')
  })
})

describe('a session that a server remembers', () => {
  it('S67, C1: run idle, is not served from memory', async () => {
    const store = new MemoryStore({ now: () => bench.clock.ms })
    const bench = createBench({ current: store, countRecords: async () => store.size }, { idleTimeout: 600 })
    const cookie = await bench.begin({ user: 'u1' })
    await warm(bench.manager, cookie)
    bench.clock.ms += 599_000
    await warm(bench.manager, cookie)
    bench.clock.ms += 600_000
    await tells(bench, bench.manager, cookie, 'unknown')
  })
})
