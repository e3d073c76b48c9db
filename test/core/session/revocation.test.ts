import { describe, expect, it } from 'vitest'
import {
  createSessionManager,
  MemoryStore,
  SessionEndedError,
  StoreUnavailableError,
} from '../../../src/core/index.ts'
import { createBench } from '../../support/managers.ts'
import { secret, stores } from '../../support/stores.ts'
import { failing, TamperedStore } from '../../support/tampered-store.ts'
import { visit, visitOk } from '../../support/visit.ts'

const DAY = 86_400

describe.each(stores)('ending the sessions of a user on $name', ({ open }) => {
  const opened = open()
  const bench = () => createBench(opened)
  /** No two tests share a user. */
  let users = 0
  const newUser = () => `user ${++users} of ${opened.current.constructor.name}`

  type Bench = ReturnType<typeof createBench>

  async function signIn({ manager }: Bench, user: string, cookie?: string): Promise<string> {
    const signedIn = await visitOk(manager, cookie, (session) => {
      session.signIn(user)
      session.set('user', user)
    })
    return signedIn.cookie
  }

  async function userOf({ manager }: Bench, cookie: string): Promise<unknown> {
    return (await visitOk(manager, cookie, (session) => session.get('user'))).result
  }

  it('E9: revokeAll ends all sessions of a user, and no others', async () => {
    const it = bench()
    const [user, other] = [newUser(), newUser()]
    const cookies = await Promise.all(Array.from({ length: 5 }, () => signIn(it, user)))
    const others = await Promise.all(Array.from({ length: 5 }, () => signIn(it, other)))
    await it.manager.revokeAll(user)
    for (const cookie of cookies) expect(await userOf(it, cookie)).toBeUndefined()
    for (const cookie of others) expect(await userOf(it, cookie)).toBe(other)
  })

  it('E9: 1 000 sessions of ten users end, 1 000 of ten others live, and a sign-in right after works', async () => {
    const it = createBench(opened, { maxSessionsPerUser: 100 })
    const [revoked, others] = [Array.from({ length: 10 }, newUser), Array.from({ length: 10 }, newUser)]
    const inBatches = async <Result>(work: (index: number) => Promise<Result>) => {
      const results: Result[] = []
      for (let start = 0; start < 1000; start += 50) {
        const batch = Array.from({ length: 50 }, (_, index) => work(start + index))
        results.push(...(await Promise.all(batch)))
      }
      return results
    }
    const cookies = await inBatches((index) => signIn(it, revoked[index % 10]!))
    const othersCookies = await inBatches((index) => signIn(it, others[index % 10]!))
    for (const user of revoked) await it.manager.revokeAll(user)
    const again = await signIn(it, revoked[0]!, cookies[0])
    const left = await inBatches((index) => userOf(it, cookies[index]!))
    expect(left.filter((each) => each !== undefined)).toEqual([])
    const live = await inBatches((index) => userOf(it, othersCookies[index]!))
    expect(live).toEqual(live.map((_, index) => others[index % 10]))
    expect(await userOf(it, again)).toBe(revoked[0])
  }, 60_000)

  it('E9: a revoked token counts as unknown: it is never adopted, and a write begins anew', async () => {
    const it = bench()
    const user = newUser()
    const cookie = await signIn(it, user)
    await it.manager.revokeAll(user)
    it.forget()
    const { result, setCookie } = await visitOk(it.manager, cookie, async (session) => {
      const existed = await session.exists()
      session.set('cart', ['rope'])
      return existed
    })
    expect(result).toBe(false)
    expect(it.events()).toEqual(['ended', 'created'])
    expect(it.lastEvents[0]).toMatchObject({ reason: 'revoked' })
    expect(setCookie).toBeDefined()
    expect(setCookie!.split(';')[0]).not.toBe(cookie)
  })

  it('E9: a request that revokes all but its own and signs in anew ends all others and keeps its own session', async () => {
    const it = bench()
    const user = newUser()
    const [mine, others] = [await signIn(it, user), await signIn(it, user)]
    const { cookie } = await visitOk(it.manager, mine, async (session) => {
      expect(await session.get('user')).toBe(user)
      await it.manager.revokeAll(user, { except: session })
      session.signIn(user)
    })
    expect([await userOf(it, mine), await userOf(it, others)]).toEqual([undefined, undefined])
    expect(await userOf(it, cookie)).toBe(user)
  })

  it('E9: a session keeps its user through saves, regenerateId and another manager', async () => {
    const it = bench()
    const user = newUser()
    const first = await signIn(it, user)
    await visitOk(it.manager, first, (session) => session.set('cart', ['rope']))
    const { cookie } = await visitOk(it.another(), first, (session) => session.regenerateId())
    expect(cookie).not.toBe(first)
    expect(await userOf(it, cookie)).toBe(user)
    await it.another().revokeAll(user)
    expect(await userOf(it, cookie)).toBeUndefined()
  })

  it('E9, E11: the last sign-in counts', async () => {
    const it = bench()
    const [first, second] = [newUser(), newUser()]
    const cookie = await signIn(it, first)
    const { cookie: next } = await visitOk(it.manager, cookie, (session) => {
      session.signIn(second, { keep: ['user'] })
    })
    await it.manager.revokeAll(first)
    expect([await userOf(it, cookie), await userOf(it, next)]).toEqual([undefined, first])
    expect((await visitOk(it.manager, next, (session) => session.userId())).result).toBe(second)
    await it.manager.revokeAll(second)
    expect(await userOf(it, next)).toBeUndefined()
  })

  it('E9: costs one round trip a load, and none where nobody signed in', async () => {
    const it = bench()
    const cookie = await signIn(it, newUser())
    const { cookie: anonymous } = await visitOk(it.manager, undefined, (session) => session.set('n', 1))
    it.forget()
    await userOf(it, cookie)
    expect(it.store.operations).toEqual(['get', 'get'])
    it.forget()
    await visitOk(it.manager, anonymous, (session) => session.get('n'))
    expect(it.store.operations).toEqual(['get'])
  })

  it('E9: the mark lives a day longer than any session that it lists, and no load renews it', async () => {
    const it = bench()
    const user = newUser()
    const cookie = await signIn(it, user)
    expect(it.store.ttls).toContain(15 * DAY)
    it.forget()
    await userOf(it, cookie)
    // Of the session's own record alone.
    expect(it.store.ttls).toEqual([DAY])
    await visitOk(it.manager, undefined, (session) => session.signIn(user, { absolute: 90 * DAY }))
    expect(it.store.ttls).toContain(91 * DAY)
    it.forget()
    await it.manager.revokeAll(user)
    expect(it.store.ttls).toEqual([91 * DAY])
  })

  it('E9: a mark that is lost ends its sessions, and revives none', async () => {
    const it = bench()
    const user = newUser()
    const cookie = await signIn(it, user)
    const [, markKey] = await keysOf(it, cookie)
    await opened.current.delete(markKey!)
    expect(await userOf(it, cookie)).toBeUndefined()
    expect(it.lastEvents).toEqual([expect.objectContaining({ type: 'ended', reason: 'mark-lost' })])
    const again = await signIn(it, user)
    expect(await userOf(it, cookie)).toBeUndefined()
    expect(await userOf(it, again)).toBe(user)
  })

  it('E9, G2: a mark that was written by somebody else, or moved, ends its sessions, until the next sign-in', async () => {
    const it = bench()
    const [user, other] = [newUser(), newUser()]
    const [cookie, otherCookie] = [await signIn(it, user), await signIn(it, other)]
    const [, markKey] = await keysOf(it, cookie)
    const [, otherMarkKey] = await keysOf(it, otherCookie)
    const moved = (await opened.current.get(otherMarkKey!, 100))!
    const forged = crypto.getRandomValues(new Uint8Array(moved.bytes.length))
    for (const bytes of [moved.bytes, forged, new Uint8Array()]) {
      await opened.current.set(markKey!, bytes, 100)
      it.forget()
      expect(await userOf(it, cookie)).toBeUndefined()
      expect(it.events()).toEqual(['invalid', 'ended'])
      expect(it.lastEvents[1]).toMatchObject({ reason: 'mark-lost' })
    }
    const again = await signIn(it, user)
    expect([await userOf(it, cookie), await userOf(it, again)]).toEqual([undefined, user])
    expect(await userOf(it, otherCookie)).toBe(other)
  })

  it('E9, F1: a mark that cannot be asked about is an outage, and the session lives on', async () => {
    const it = bench()
    const user = newUser()
    const cookie = await signIn(it, user)
    it.forget()
    let gets = 0
    it.store.before = (operation) => {
      if (operation === 'get' && ++gets === 2)
        throw new StoreUnavailableError('get', new Error('tampered with'))
    }
    const { result } = await visit(it.manager, cookie, (session) =>
      session.get('user').catch((error: unknown) => error),
    )
    expect(result).toBeInstanceOf(StoreUnavailableError)
    it.forget()
    expect(await userOf(it, cookie)).toBe(user)
  })

  it('E9, F1: a sign-in whose mark cannot be read or written fails, and sends no cookie', async () => {
    const it = bench()
    // The mark is asked for; it is added, after the session's record.
    for (const [operation, which] of [
      ['get', 0],
      ['add', 1],
    ] as const) {
      const user = newUser()
      it.store.before = (called) => {
        if (called === operation && it.store.count(called) > which) failing(operation)(called)
      }
      const { error, setCookie } = await visit(it.manager, undefined, (session) => {
        session.signIn(user)
        session.set('user', 'u1')
      })
      expect(error).toBeInstanceOf(StoreUnavailableError)
      expect(setCookie).toBeUndefined()
      it.forget()
      expect(await it.manager.listSessions(user)).toEqual([])
    }
  })

  it('E9: revokeAll rejects when the store cannot be asked, and may be repeated', async () => {
    const it = bench()
    const user = newUser()
    const cookie = await signIn(it, user)
    // What goes unanswered once is tried again.
    for (const operation of ['get', 'replace'] as const) {
      it.store.before = failing(operation, operation === 'get' ? 1 : 2)
      await expect(it.manager.revokeAll(user)).rejects.toBeInstanceOf(StoreUnavailableError)
      it.forget()
      expect(await userOf(it, cookie)).toBe(user)
    }
    await it.manager.revokeAll(user)
    expect(await userOf(it, cookie)).toBeUndefined()
  })

  it('E9: twenty first sign-ins at once find one mark', async () => {
    const it = bench()
    const user = newUser()
    const cookies = await Promise.all(Array.from({ length: 20 }, () => signIn(it, user)))
    for (const cookie of cookies) expect(await userOf(it, cookie)).toBe(user)
  })

  it('E9: revokeAll between the mark and the end of a sign-in ends that sign-in', async () => {
    const it = bench()
    const user = newUser()
    const { cookie: anonymous } = await visitOk(it.manager, undefined, (session) => session.set('n', 1))
    await signIn(it, user)
    it.forget()
    it.store.before = async (operation) => {
      // The session is listed, the old token not yet dead.
      if (operation === 'replace' && it.store.count('replace') === 2)
        await createSessionManager({ store: opened.current, secret }).revokeAll(user)
    }
    const cookie = await signIn(it, user, anonymous)
    it.forget()
    expect(await userOf(it, cookie)).toBeUndefined()
    expect(await userOf(it, anonymous)).toBeUndefined()
  })

  it('E9, G3: revokes under every listed secret', async () => {
    const store = opened.current
    const user = newUser()
    const [older, newer] = [secret, `${secret}, the next one`]
    const before = createSessionManager({ store, secret: older })
    const { cookie } = await visitOk(before, undefined, (session) => {
      session.signIn(user)
      session.set('user', user)
    })
    const during = createSessionManager({ store, secret: [newer, older] })
    expect((await visitOk(during, cookie, (session) => session.get('user'))).result).toBe(user)
    await during.revokeAll(user)
    expect((await visitOk(during, cookie, (session) => session.get('user'))).result).toBeUndefined()
    expect((await visitOk(before, cookie, (session) => session.get('user'))).result).toBeUndefined()
  })

  it('E9, G3: a session whose secret is no longer listed counts as unknown: nothing could revoke it', async () => {
    const store = opened.current
    const user = newUser()
    const [older, newer] = [secret, `${secret}, the next one`]
    const { cookie } = await visitOk(createSessionManager({ store, secret: older }), undefined, (session) => {
      session.signIn(user)
      session.set('user', user)
    })
    // Sealed anew with the newer secret, and with its mark still under the older one.
    const during = createSessionManager({ store, secret: [newer, older] })
    await visitOk(during, cookie, (session) => session.setTimeouts({ absolute: 400 * DAY }))
    expect((await visitOk(during, cookie, (session) => session.get('user'))).result).toBe(user)
    const after = createSessionManager({ store, secret: newer })
    expect((await visitOk(after, cookie, (session) => session.get('user'))).result).toBeUndefined()
  })

  it('E5, E9: a request that was under way does not bring a revoked session back by signing in over it', async () => {
    const it = bench()
    const user = newUser()
    const cookie = await signIn(it, user)
    const { error, setCookie } = await visit(it.manager, cookie, async (session) => {
      await session.get('user')
      await it.another().revokeAll(user)
      session.signIn(user)
      session.set('cart', ['rope'])
    })
    expect(error).toBeInstanceOf(SessionEndedError)
    expect(setCookie).toBeUndefined()
    expect(await userOf(it, cookie)).toBeUndefined()
    expect(await it.manager.listSessions(user)).toEqual([])
  })

  it.each<[string, number]>([
    ['begins', 0],
    ['adds the session', 1],
    ['reads the mark', 2],
    ['writes it', 3],
    ['ends the old token', 4],
  ])(
    'E9, E11: a sign-in of another user that is begun when the save of one %s is not lost',
    async (_, operations) => {
      const it = bench()
      const [first, second] = [newUser(), newUser()]
      const { cookie } = await visitOk(it.manager, undefined, (session) => session.set('n', 0))
      const { cookie: next } = await visitOk(it.manager, cookie, async (session) => {
        await session.get('n')
        session.signIn(first)
        session.set('user', first)
        const signInSecond = () => {
          session.signIn(second)
          session.set('a', second)
        }
        let begun = 0
        it.store.before = () => {
          if (++begun === operations) signInSecond()
        }
        const save = session.save()
        if (operations === 0) signInSecond()
        await save
        it.store.before = () => {}
      })
      const { result } = await visitOk(it.manager, next, async (session) => [
        await session.userId(),
        await session.entries(),
      ])
      expect(result).toEqual([second, { a: second }])
      expect(await it.manager.listSessions(first)).toEqual([])
      await it.manager.revokeAll(first)
      expect((await visitOk(it.manager, next, (session) => session.get('a'))).result).toBe(second)
      await it.manager.revokeAll(second)
      expect((await visitOk(it.manager, next, (session) => session.get('a'))).result).toBeUndefined()
    },
  )

  it('E9, G2: the store sees neither the id of the user nor what could be guessed from it', async () => {
    const store = new TamperedStore(new MemoryStore())
    const written: string[] = []
    const spy = createSessionManager({ store, secret })
    store.after = (_operation, key) => written.push(key)
    const user = 'alice@example.com'
    await visitOk(spy, undefined, (session) => {
      session.signIn(user, { label: 'Firefox on Linux' })
      session.set('n', 1)
    })
    expect(new Set(written).size).toBe(2)
    for (const key of written) expect(key).toMatch(/^[\w-]{43}$/)
    // Another secret puts the mark elsewhere: knowing the user is not enough to find it.
    const keys = new Set(written)
    written.length = 0
    const stranger = createSessionManager({ store, secret: `${secret}, a stranger's` })
    await stranger.revokeAll(user)
    expect(written.filter((key) => keys.has(key))).toEqual([])
  })

  it.each([undefined, null, 1, '', {}, ['u1']])(
    'E9: refuses %j as the id of a user, and loses nothing',
    async (id) => {
      const it = bench()
      const { cookie } = await visitOk(it.manager, undefined, (session) => {
        session.set('n', 1)
        expect(() => session.signIn(id as string)).toThrow(
          /^userId: expected a string that is not empty, got/,
        )
      })
      expect((await visitOk(it.manager, cookie, (session) => session.get('n'))).result).toBe(1)
      await expect(it.manager.revokeAll(id as string)).rejects.toThrow(TypeError)
    },
  )

  /** What a load asks for: the session's key, then its mark's. */
  async function keysOf(it: Bench, cookie: string): Promise<string[]> {
    it.forget()
    await userOf(it, cookie)
    const keys = [...it.store.keys]
    it.forget()
    return keys
  }
})
